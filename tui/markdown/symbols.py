"""What the commands of LaTeX maths stand for in Unicode: a table for `maths`."""

from __future__ import annotations

import unicodedata

_GREEK = (
    "alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon chi psi omega"
)

# Command and sign in turn.
_SIGNS = """
    epsilon ϵ varepsilon ε phi ϕ varphi φ vartheta ϑ varpi ϖ varrho ϱ varsigma ς digamma ϝ
    le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ ll ≪ gg ≫ leqslant ⩽ geqslant ⩾ approx ≈ equiv ≡ sim ∼ simeq ≃ cong ≅ propto ∝
    lesssim ≲ gtrsim ≳ prec ≺ succ ≻ preceq ⪯ succeq ⪰ asymp ≍ doteq ≐ triangleq ≜ coloneqq ≔
    pm ± mp ∓ times × div ÷ cdot · ast ∗ star ⋆ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙ dagger † ddagger ‡
    wedge ∧ land ∧ vee ∨ lor ∨ neg ¬ lnot ¬ cap ∩ cup ∪ setminus ∖ sqcup ⊔ sqcap ⊓ uplus ⊎ amalg ⨿
    in ∈ notin ∉ ni ∋ subset ⊂ supset ⊃ subseteq ⊆ supseteq ⊇ subsetneq ⊊ supsetneq ⊋ emptyset ∅ varnothing ∅
    forall ∀ exists ∃ nexists ∄ top ⊤ bot ⊥ perp ⊥ parallel ∥ vdash ⊢ dashv ⊣ models ⊨ vDash ⊨ mid ∣ nmid ∤
    to → rightarrow → longrightarrow ⟶ leftarrow ← gets ← longleftarrow ⟵ leftrightarrow ↔ longleftrightarrow ⟷
    Rightarrow ⇒ implies ⟹ Longrightarrow ⟹ Leftarrow ⇐ impliedby ⟸ Leftrightarrow ⇔ iff ⟺ Longleftrightarrow ⟺
    mapsto ↦ longmapsto ⟼ hookrightarrow ↪ uparrow ↑ downarrow ↓ updownarrow ↕ Uparrow ⇑ Downarrow ⇓ nearrow ↗
    searrow ↘ rightharpoonup ⇀ rightleftharpoons ⇌ leadsto ⇝
    sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ bigcup ⋃ bigcap ⋂ bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂
    partial ∂ nabla ∇ infty ∞ hbar ℏ ell ℓ Re ℜ Im ℑ aleph ℵ wp ℘ imath ı jmath ȷ degree ° angle ∠ triangle △
    square □ Box □ blacksquare ■ diamond ⋄ lozenge ◊ prime ′ backslash \\ colon : therefore ∴ because ∵ checkmark ✓
    dots … ldots … cdots ⋯ vdots ⋮ ddots ⋱ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lvert | rvert |
    lVert ‖ rVert ‖ vert | Vert ‖ lbrace { rbrace } lbrack [ rbrack ]
"""

_FUNCTIONS = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth exp log ln lg lim limsup liminf max min sup inf "
    "arg argmax argmin det dim ker hom deg gcd lcm Pr mod tr rank sgn sign diag softmax"
)

_PLAIN = (
    "text textrm textit textbf textsf texttt mathrm mathbf mathit mathsf mathtt boldsymbol bm operatorname mbox mathop"
)

_SILENT = "left right middle big Big bigg Bigg bigl bigr Bigl Bigr limits nolimits displaystyle textstyle"

SYMBOLS: dict[str, str] = {
    **{name: unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda')}") for name in _GREEK.split()},
    **{
        name.title(): unicodedata.lookup(f"GREEK CAPITAL LETTER {name.replace('lambda', 'lamda')}")
        for name in [*_GREEK.split(), "phi"]
    },
    **dict(zip(_SIGNS.split()[::2], _SIGNS.split()[1::2], strict=True)),
    "quad": "  ",
    "qquad": "    ",
}
"""Commands that stand for a sign."""

PLAIN = frozenset(_PLAIN.split())
"""Commands that only change how their argument looks."""

SILENT = frozenset(_SILENT.split())
"""Commands that only change sizes."""

FUNCTIONS = frozenset(_FUNCTIONS.split())
"""Commands that stand for their own name."""

CHARACTERS = {
    **dict.fromkeys(",:; ", " "),
    **{character: character for character in "{}$%&#_"},
    "!": "",
    "|": "‖",
    "\\": "\n",
}
"""Commands of one character that is not a letter."""

ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0305",
    "underline": "\u0332",
    "vec": "\u20d7",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
    "check": "\u030c",
    "breve": "\u0306",
}

ALPHABETS = {"mathbb": "DOUBLE-STRUCK", "mathcal": "SCRIPT", "mathscr": "SCRIPT", "mathfrak": "BLACK-LETTER"}

SUPERSCRIPTS = dict(
    zip("0123456789+-=()abcdefghijklmnoprstuvwxyzαβγδθ′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵅᵝᵞᵟᶿ′", strict=True)
) | {"T": "ᵀ", "−": "⁻", "∗": "*", "*": "*", "†": "†"}

SUBSCRIPTS = dict(
    zip("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True)
) | {"−": "₋"}

BRACKETS = {"pmatrix": "()", "bmatrix": "[]", "Bmatrix": "{}", "vmatrix": "||", "Vmatrix": "‖‖", "matrix": "[]"}
LINES = frozenset(("align", "aligned", "gather", "gathered", "equation", "split", "eqnarray", "multline"))
