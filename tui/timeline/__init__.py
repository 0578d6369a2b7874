"""The timeline on the screen: entities of the bus as blocks of lines in one virtualised view."""
