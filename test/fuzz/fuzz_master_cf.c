/* master.cf (conf/conf.h): rows are read or refused with a reason; what was read has its eight columns and its view. */
#include "base/log.h"
#include "conf/conf_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf errors = BUF_INIT(1024 * 1024), warnings = BUF_INIT(1024 * 1024);
	struct conf *c = conf_parse("/etc/x", STR("own = $syslog_name\n"), str_pn(p, n), &errors, &warnings);

	require(c || errors.n);
	if (c) {
		const struct conf_service *s;
		size_t count = conf_services(c, &s);

		for (size_t i = 0; i < count; i++) {
			require(s[i].name[0] && s[i].command[0] && s[i].maxproc >= 0);
			require(conf_service_find(c, str_c(s[i].name), s[i].type) == &s[i]);
			conf_str(s[i].view, "syslog_name");
			conf_seconds(s[i].view, "smtpd_timeout");
		}
		conf_free(&c);
	}
	buf_free(&errors);
	buf_free(&warnings);
	return 0;
}
