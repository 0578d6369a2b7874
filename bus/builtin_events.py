"""Events of tools that run at the provider: searches, code interpreter, MCP, images, citations.

`item_id` tells the items of one provider response apart; it is unique within that response only.
"""

from __future__ import annotations

from typing import Any, Literal

from .events import ProviderToolEvent


class _Item(ProviderToolEvent):
    item_id: str | None = None


class WebSearchEvent(_Item):
    """Any event of a search on the web."""


class FileSearchEvent(_Item):
    """Any event of a search in files."""


class CodeInterpreterEvent(_Item):
    """Any event of the code interpreter."""


class McpEvent(_Item):
    """Any event of an MCP call or of a listing of tools."""


class ImageGenerationEvent(_Item):
    """Any event of an image that is made."""


class WebSearchStarted(WebSearchEvent):
    """A web search begins; may come twice for one item, with and without `query`."""

    type: Literal["web-search-started"] = "web-search-started"
    query: str | None = None


class WebSearchSearching(WebSearchEvent):
    """The search runs."""

    type: Literal["web-search-searching"] = "web-search-searching"


class WebSearchOpenPage(WebSearchEvent):
    """The search opened a page."""

    type: Literal["web-search-open-page"] = "web-search-open-page"
    url: str | None = None


class WebSearchDone(WebSearchEvent):
    """The search is over."""

    type: Literal["web-search-done"] = "web-search-done"


class ToolSearchResults(ProviderToolEvent):
    """Results of a search: each has `url`, `title`, `snippet`, `ext`, all optional."""

    type: Literal["tool-search-results"] = "tool-search-results"
    tool: str = ""
    item_id: str | None = None
    results: list[dict[str, Any]] | None = None


class Citation(ProviderToolEvent):
    """A source of the answer; indexes count characters of the answer's text."""

    type: Literal["citation"] = "citation"
    title: str | None = None
    url: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    output_index: int | None = None
    content_index: int | None = None
    annotation_index: int | None = None


class FileSearchStarted(FileSearchEvent):
    """A file search begins."""

    type: Literal["file-search-started"] = "file-search-started"


class FileSearchSearching(FileSearchEvent):
    """The file search runs."""

    type: Literal["file-search-searching"] = "file-search-searching"


class FileSearchDone(FileSearchEvent):
    """The file search is over."""

    type: Literal["file-search-done"] = "file-search-done"


class CodeInterpreterStarted(CodeInterpreterEvent):
    """The code interpreter is called."""

    type: Literal["code-interpreter-started"] = "code-interpreter-started"


class CodeInterpreterInterpreting(CodeInterpreterEvent):
    """The code runs."""

    type: Literal["code-interpreter-interpreting"] = "code-interpreter-interpreting"


class CodeInterpreterDone(CodeInterpreterEvent):
    """The code has run."""

    type: Literal["code-interpreter-done"] = "code-interpreter-done"


class CodeInterpreterCodeDelta(CodeInterpreterEvent):
    """More of the code."""

    type: Literal["code-interpreter-code-delta"] = "code-interpreter-code-delta"
    delta: str = ""


class CodeInterpreterCodeDone(CodeInterpreterEvent):
    """All of the code."""

    type: Literal["code-interpreter-code-done"] = "code-interpreter-code-done"
    code: str = ""


class McpArgsDelta(McpEvent):
    """More of an MCP call's arguments."""

    type: Literal["mcp-args-delta"] = "mcp-args-delta"
    delta: str = ""


class McpArgsDone(McpEvent):
    """All of an MCP call's arguments."""

    type: Literal["mcp-args-done"] = "mcp-args-done"
    arguments: str = ""


class McpInProgress(McpEvent):
    """The MCP call runs."""

    type: Literal["mcp-in-progress"] = "mcp-in-progress"


class McpCompleted(McpEvent):
    """The MCP call succeeded."""

    type: Literal["mcp-completed"] = "mcp-completed"


class McpFailed(McpEvent):
    """The MCP call failed; no reason is given on the wire."""

    type: Literal["mcp-failed"] = "mcp-failed"


class McpListToolsInProgress(McpEvent):
    """The tools of an MCP server are being listed."""

    type: Literal["mcp-list-tools-in-progress"] = "mcp-list-tools-in-progress"


class McpListToolsCompleted(McpEvent):
    """The tools of an MCP server are listed."""

    type: Literal["mcp-list-tools-completed"] = "mcp-list-tools-completed"


class McpListToolsFailed(McpEvent):
    """The tools of an MCP server could not be listed."""

    type: Literal["mcp-list-tools-failed"] = "mcp-list-tools-failed"


class ImageGenerationInProgress(ImageGenerationEvent):
    """An image is asked for."""

    type: Literal["image-generation-in-progress"] = "image-generation-in-progress"


class ImageGenerationGenerating(ImageGenerationEvent):
    """The image is being made."""

    type: Literal["image-generation-generating"] = "image-generation-generating"


class ImageGenerationPartialImage(ImageGenerationEvent):
    """A preview of the image, whole, in base64."""

    type: Literal["image-generation-partial-image"] = "image-generation-partial-image"
    partial_image_base64: str | None = None


class ImageGenerationCompleted(ImageGenerationEvent):
    """The image is made."""

    type: Literal["image-generation-completed"] = "image-generation-completed"
