# Pollux. `make` alone explains the targets; osdk/pollux is the tool behind them, with --help.

# The variables of the command line, as options of the tool.
OPTIONS = $(if $(ON),--on $(ON)) $(if $(SMP),--smp $(SMP)) $(if $(MEM),--mem $(MEM)) \
          $(if $(CPU),--cpu $(CPU)) $(if $(POLICY),--policy $(POLICY)) $(if $(ICOUNT),--icount) \
          $(if $(BOOT),--boot $(BOOT)) $(if $(PORT),--forward $(PORT):80) $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(foreach file,$(FILES),--file $(file))

.PHONY: help run exec test test-all test-images soak bench bench-check profile check doc build image setup

help:
	@echo 'make run       boot in QEMU and play the tour; on a terminal, a shell after it'
	@echo 'make exec      run a static Linux program:  make exec PROG=/bin/busybox ARGS="echo hello"'
	@echo 'make test      run the tests: on the host, on Linux, and on Pollux with 1 and 2 CPUs'
	@echo 'make test-all  the same with 1, 2 and 4 CPUs and all three Pollee policies'
	@echo 'make test-images  start disk images on machines of all sizes, by BIOS and by UEFI'
	@echo 'make soak      the long forms of the tests, with more interleavings and operations; takes hours'
	@echo 'make bench     measure system calls on Linux and on Pollux with each policy; QUICK=1 under 3 minutes'
	@echo 'make bench-check  fail if a system call costs over 3 % more than osdk/bench-baseline.txt says'
	@echo 'make profile   count the instructions of the kernel by function, for a program that runs for ever: PROG=… ARGS=…'
	@echo 'make proof     prove the protocols of the Pollee with z3, for any number of threads'
	@echo 'make check     format, lints, documentation, direction of imports; warnings are errors'
	@echo 'make doc       write the documentation of the crates as a site, and print its path'
	@echo 'make book      make the book as a site that needs no internet, and print its path'
	@echo 'make build     build the kernel'
	@echo 'make image     make disk images with the tour: target/pollux-bios.img and target/pollux-uefi.img'
	@echo 'make setup     install what is missing; the others do so too, when they need it'
	@echo
	@echo 'Variables for run, exec and test:'
	@echo '  ON=linux        on the Linux 6.1 twin instead       SMP=n      number of CPUs'
	@echo '  MEM=size        memory, as 3G                       CPU=model  by its name in QEMU'
	@echo '  POLICY=hybrid|stateful|stateless                    ICOUNT=1   count instructions'
	@echo '  FILES="host:guest …"  more files for the guest      TIMEOUT=seconds'
	@echo '  BOOT=bios|uefi  from a disk image                   PORT=n     for the HTTP server'

run:
	@osdk/pollux run $(OPTIONS)

exec:
	@$(if $(PROG),,echo 'make exec: say PROG=path' >&2; exit 125;) osdk/pollux exec $(OPTIONS) -- $(PROG) $(ARGS)

test:
	@osdk/pollux test $(OPTIONS)

test-all:
	@osdk/pollux test $(OPTIONS) $(if $(SMP),,--smp 1,2,4) $(if $(POLICY),,--policy hybrid,stateful,stateless)

test-images:
	@osdk/pollux test --on images --all-machines

soak:
	@osdk/pollux test $(OPTIONS) --long --all-machines --operations 2000000 $(if $(TIMEOUT),,--timeout 1800)

bench:
	@osdk/pollux bench $(if $(QUICK),--quick) $(if $(POLICY),--policy $(POLICY))

bench-check:
	@osdk/pollux bench --check

profile:
	@$(if $(PROG),,echo 'make profile: say PROG=path' >&2; exit 125;) osdk/pollux profile $(if $(POLICY),--policy $(POLICY)) -- $(PROG) $(ARGS)

.PHONY: proof book
proof:
	@osdk/pollux proof

book:
	@osdk/pollux book

check:
	@osdk/pollux check

doc:
	@osdk/pollux doc

build:
	@osdk/pollux build $(if $(POLICY),--policy $(POLICY))

image:
	@osdk/pollux image $(if $(POLICY),--policy $(POLICY))

setup:
	@osdk/setup
