# Gatepost. `make run` shows it working, `make check` runs every test, `make help` lists the rest.
#
# Every .c below src/LIB is part of the library LIB; every .c below src/PROCESS is part of that process. Which
# libraries a program may link is the list below: what is not there cannot be called by it.

MODE ?= release
O ?= build
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION = 0.1

LIBS = base sql conf milter smtp sasl auth mime log tls map dns msg child ctl
smtpd_LIBS = tls map sql dns auth sasl milter smtp mime log child msg conf base
authd_LIBS = sql auth sasl child msg conf base
mapd_LIBS = map sql auth smtp child msg conf base
queued_LIBS = map sql log mime smtp child msg conf base
relay_LIBS = tls dns map sql auth sasl smtp mime log child msg conf base
fetchd_LIBS = dns child msg conf base
keyd_LIBS = child msg conf base
deliver_LIBS = map sql smtp sasl mime log child msg conf base
pickup_LIBS = ctl base
master_LIBS = tls map sql auth sasl smtp log child msg conf base
DAEMONS = master smtpd authd mapd queued relay deliver keyd pickup
authpam_LIBS = child msg conf base
comma := ,
CTL = gatepost postconf postmap postqueue postsuper postcat sendmail
# Other names of a program: it looks at the name that it was called by.
NAMES = mailq:postqueue newaliases:sendmail postalias:postmap
ctl_LIBS = ctl tls map sql auth sasl smtp mime log msg conf base
PROGRAMS = $(DAEMONS) $(CTL)

smtpd_SO = -luv -lssl -lcrypto -lunbound -lidn2 -lpcre2-8 -lsqlite3 -llmdb -lseccomp
authd_SO = -luv -lcrypto -lsqlite3 -lpcre2-8 -lcrypt -lsodium -largon2 -lidn -ljansson -lseccomp
mapd_SO = -luv -lcrypto -lsqlite3 -llmdb -lpcre2-8 -lidn2 -lseccomp
queued_SO = -luv -lcrypto -lidn2 -lpcre2-8 -lsqlite3 -llmdb -lseccomp
fetchd_SO = -luv -lcurl -lssl -lcrypto -lunbound -lseccomp
relay_SO = -luv -lssl -lcrypto -lunbound -lidn2 -lpcre2-8 -lsqlite3 -llmdb -lidn -lseccomp
keyd_SO = -luv -lcrypto -lseccomp
deliver_SO = -luv -lcrypto -lpcre2-8 -lsqlite3 -llmdb -lidn2 -lidn -lseccomp
master_SO = -luv -lssl -lcrypto -lsqlite3 -lcrypt -lsodium -largon2 -llmdb -lpcre2-8 -lidn2 -lidn -lseccomp
pickup_SO = -lseccomp
authpam_SO = -luv -lpam -lidn2 -lseccomp
ctl_SO = -luv -lssl -lcrypto -lsqlite3 -lcrypt -lsodium -largon2 -llmdb -lpcre2-8 -lidn2 -lidn -ljansson -lseccomp

# Drivers for databases are built in where their headers are.
ifneq ($(wildcard /usr/include/postgresql/libpq-fe.h),)
HAVE += -DHAVE_PGSQL
authd_SO += -lpq
mapd_SO += -lpq
ctl_SO += -lpq
else
LEFT_OUT += src/sql/sql_pgsql.c
endif
ifneq ($(wildcard /usr/include/mariadb/mysql.h),)
HAVE += -DHAVE_MYSQL
authd_SO += -lmariadb
mapd_SO += -lmariadb
ctl_SO += -lmariadb
else
LEFT_OUT += src/sql/sql_mysql.c
endif
# So is fetchd, which speaks HTTP by libcurl.
ifneq ($(wildcard /usr/include/*/curl/curl.h /usr/include/curl/curl.h),)
HAVE += -DHAVE_CURL
DAEMONS += fetchd
endif

ifneq ($(wildcard /usr/include/ldap.h),)
HAVE += -DHAVE_LDAP
authd_SO += -lldap -llber
else
LEFT_OUT += src/authd/ldap_conn.c src/authd/ldap_session.c src/authd/ldap_bound.c src/authd/settings_ldap.c
endif
# libldap finds libsasl itself.
ifneq ($(and $(wildcard /usr/include/ldap.h),$(wildcard /usr/include/sasl/sasl.h)),)
HAVE += -DHAVE_SASL
else
LEFT_OUT += src/authd/ldap_sasl.c
endif

ifneq ($(wildcard /usr/include/security/pam_appl.h),)
HAVE += -DHAVE_PAM
DAEMONS += authpam
# The sanitizer looks for crypt(3) at the start, which a module brings later.
authpam_SO += $(if $(filter asan,$(MODE)),-Wl$(comma)--no-as-needed -lcrypt)
endif

# So is Redis, for what several nodes count of failed logins.
ifneq ($(wildcard /usr/include/hiredis/async.h),)
HAVE += -DHAVE_HIREDIS
authd_SO += -lhiredis
else
LEFT_OUT += src/authd/redis.c
endif

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS_release = -O2 -g -D_FORTIFY_SOURCE=3
CFLAGS_debug = -O0 -g
CFLAGS_asan = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DASAN
# test/peer/hardening looks at what comes out of these.
BRANCHES_x86_64 = -fcf-protection=full
BRANCHES_aarch64 = -mbranch-protection=standard
HARDEN = -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -fPIE \
	$(BRANCHES_$(firstword $(subst -, ,$(shell $(CC) -dumpmachine))))
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -DGATEPOST_VERSION='"$(VERSION)"' -Isrc $(HAVE) $(WARN) $(HARDEN) $(CFLAGS_$(MODE)) $(CFLAGS)
ALL_LDFLAGS = $(CFLAGS_$(MODE)) -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--as-needed $(LDFLAGS)

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:

sources = $(filter-out %_test.c $(LEFT_OUT) $(wildcard src/$(1)/prog_*.c),$(wildcard src/$(1)/*.c))
objects = $(patsubst src/%.c,$(O)/obj/%.o,$(call sources,$(1)))
archives = $(foreach l,$(1),$(O)/lib/$(l).a)

all: $(addprefix $(O)/bin/,$(PROGRAMS)) $(foreach n,$(NAMES),$(O)/bin/$(firstword $(subst :, ,$(n))))

define library
$(O)/lib/$(1).a: $(call objects,$(1)) | $(O)/lib
	@rm -f $$@
	@ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

define daemon
$(O)/bin/$(1): $(call objects,$(1)) $(call archives,$($(1)_LIBS)) | $(O)/bin
	@echo "LD $$@"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $($(1)_SO)
endef
$(foreach p,$(DAEMONS),$(eval $(call daemon,$(p))))

define control
$(O)/bin/$(1): $(O)/obj/ctl/prog_$(1).o $(call archives,$(ctl_LIBS)) | $(O)/bin
	@echo "LD $$@"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(ctl_SO)
endef
$(foreach p,$(CTL),$(eval $(call control,$(p))))

define other_name
$(O)/bin/$(1): $(O)/bin/$(2)
	@ln -sf $(2) $$@
endef
$(foreach n,$(NAMES),$(eval $(call other_name,$(firstword $(subst :, ,$(n))),$(lastword $(subst :, ,$(n))))))

$(O)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/lib $(O)/bin $(O)/test:
	@mkdir -p $@

# Unit tests: src/LIB/x_test.c links its own library and all others, so that a fixture may use any of them; a test of a
# process folder links that folder's objects but main.c.
unit_sources = $(wildcard src/*/*_test.c)
unit_tests = $(patsubst src/%_test.c,$(O)/test/%_test,$(unit_sources))
.PRECIOUS: $(O)/obj/%.o
.SECONDEXPANSION:
$(O)/test/%_test: $(O)/obj/%_test.o $(call archives,$(LIBS)) $$(if $$(filter $(DAEMONS),$$(*D)),$$(filter-out $(O)/obj/$$(*D)/main.o,$$(call objects,$$(*D))))
	@mkdir -p $(@D)
	@echo "LD $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lcmocka $(sort $(smtpd_SO) $(authd_SO) $(mapd_SO) $(relay_SO) $(ctl_SO))

units: $(unit_tests)
check-unit: units
	@test/run-unit $(unit_tests)

asan:
	@$(MAKE) --no-print-directory MODE=asan O=$(O)/asan all
debug:
	@$(MAKE) --no-print-directory MODE=debug O=$(O)/debug all

deps:
	@test/deps
run:
	@test/deps run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@test/run-demo
check: deps
	@test/check
lint:
	@test/lint
format:
	@clang-format -i $(wildcard src/*/*.[ch] test/*/*.[ch])
bench: all
	@test/bench/run
# Ten minutes of kill -9 at random under load: lost 0, duplicates counted.
SOAK_SECONDS ?= 600
soak: all
	@BIN=$(O)/bin test/crash/kill_ledger --seconds $(SOAK_SECONDS) --sessions 20
SECONDS ?= 60
fuzz:
	@test/fuzz/run $(SECONDS)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/gatepost $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(addprefix $(O)/bin/,$(CTL)) $(DESTDIR)$(PREFIX)/sbin/
	for n in $(NAMES); do ln -sf $${n#*:} $(DESTDIR)$(PREFIX)/sbin/$${n%:*}; done
	install -m 755 $(addprefix $(O)/bin/,$(DAEMONS)) $(DESTDIR)$(PREFIX)/libexec/gatepost/
	for s in 1 5 8; do for f in man/*.$$s; do [ ! -e "$$f" ] || install -m 644 "$$f" $(DESTDIR)$(PREFIX)/share/man/man$$s/; done; done
	for n in $(NAMES); do echo ".so man1/$${n#*:}.1" >$(DESTDIR)$(PREFIX)/share/man/man1/$${n%:*}.1; done
	sed 's|/usr/local/|$(PREFIX)/|' packaging/systemd/gatepost.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/gatepost.service

clean:
	rm -rf $(O)

help:
	@sed -n 's/^# //p' Makefile | head -3
	@echo "targets: all run check check-unit deps asan debug lint format bench soak fuzz install clean"

.PHONY: all units check-unit asan debug deps run check lint format bench soak fuzz install clean help
-include $(wildcard $(O)/obj/*/*.d)
