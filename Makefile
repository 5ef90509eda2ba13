# The build, install, test and demo goals; each installs or names what it lacks (scripts/require).
build:
	swift build
