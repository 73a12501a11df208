#include "ctl/instance_conf.h"

#include <stdio.h>
#include <stdlib.h>

static void say(const char *program, const char *what, const struct buf *lines)
{
	struct str rest = buf_str(lines), line;

	while (str_word(&rest, "\n", &line))
		fprintf(stderr, "%s: %s: %.*s\n", program, what, STR_ARG(line));
}

struct conf *instance_conf(const char *program, const char *dir)
{
	struct buf errors = BUF_INIT(1 << 20), faults = BUF_INIT(1 << 20);
	const char *from = dir ? dir : getenv("MAIL_CONFIG");
	struct conf *conf = conf_load_main(from ? from : "/etc/gatepost", &errors, &faults);

	say(program, "warning", &faults);
	say(program, "fatal", &errors);
	buf_free(&errors);
	buf_free(&faults);
	return conf;
}
