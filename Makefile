# Each goal installs what it lacks on Debian and Ubuntu, and names it elsewhere (scripts/require).
PREFIX ?= /usr/local
DESTDIR ?=
SYSTEM := x86_64-linux
# Where the goals below try out an installation without touching the machine's own.
TRIAL := $(CURDIR)/.build-install
JOBS ?= 2
# Of `make chaos` and `make fuzz`: how many runs, and where the numbers that they are drawn from begin.
RUNS ?=
SEED ?=

DEPLOY := .build/release/deploy
ACTIVATE := .build-static/release/activate

.PHONY: build install trial test test-libssh2 test-clock matrix demo bench scale chaos fuzz lint clean

build:
	@scripts/require build
	@# Only an archive there: the linker takes it where it would take the shared library.
	@mkdir -p .build/link && ln -sf "$$(gcc -print-file-name=libstdc++.a)" .build/link/libstdc++.a
	swift build -c release --product deploy --static-swift-stdlib -Xlinker -s \
	    -Xswiftc -L.build/link -Xswiftc -Xclang-linker -Xswiftc -static-libgcc -j $(JOBS)
	swift build -c release --product activate -Xswiftc -static-executable -Xlinker -s --scratch-path .build-static -j $(JOBS)
	@scripts/check-binaries $(DEPLOY) $(ACTIVATE)

# Installs what `make build` made; run that first, as yourself, then this one as root if PREFIX needs it.
install:
	@test -x $(DEPLOY) -a -x $(ACTIVATE) || { echo 'make: nothing is built yet: run `make build` first' >&2; exit 1; }
	@scripts/install "$(DESTDIR)$(PREFIX)" $(DEPLOY) $(ACTIVATE) $(SYSTEM)

trial: build
	@scripts/install $(TRIAL) $(DEPLOY) $(ACTIVATE) $(SYSTEM)

test: trial
	@scripts/require test
	DEPLOY_PREFIX=$(TRIAL) scripts/test -j $(JOBS)

# The SSH suites over libssh2 1.11, where the machine has an older one.
test-libssh2:
	@scripts/require build test
	@folder=$$(scripts/libssh2-1.11) || { [ $$? = 3 ] && exit 0; exit 1; }; \
	echo '#include "shim.h"' | gcc -xc -fsyntax-only -Wall -Wno-unused-function -Werror \
	    -I "$$folder/include" -I Sources/CLibSSH2 - && \
	LD_LIBRARY_PATH="$$folder/lib" scripts/test -j $(JOBS) --filter DeployerTests.SSH

# The end-to-end suites with each Nix as deployer and as node: PAIRS="2.8:2.34" and SUITES="ExamplesTests" pick some.
matrix: trial
	@scripts/require test
	swift build --build-tests -j $(JOBS)
	@DEPLOY_PREFIX=$(TRIAL) scripts/matrix

# Moves the clock of the whole machine by a day, forth and back.
test-clock: trial
	@scripts/require test
	DEPLOY_TEST_CLOCK=1 DEPLOY_PREFIX=$(TRIAL) scripts/test -j $(JOBS) --filter ClockTests

demo: trial
	@scripts/require lab
	@DEPLOY_PREFIX=$(TRIAL) scripts/demo

scale:
	@scripts/require test
	@benchmarks/scale $(CASES)

bench: trial
	@scripts/require lab
	@DEPLOY_PREFIX=$(TRIAL) benchmarks/run $(ROWS)

chaos: trial
	@scripts/require lab
	@DEPLOY_PREFIX=$(TRIAL) chaos/run $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

fuzz:
	@scripts/require build
	FUZZ_RUNS=$(or $(RUNS),100000) FUZZ_SEED=$(or $(SEED),$(shell date +%s)) swift test --filter FuzzTests -j $(JOBS)

lint:
	@scripts/require build
	swift format lint --strict --recursive Package.swift Sources Tests

clean:
	rm -rf .build .build-static .build-install
