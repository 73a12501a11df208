/*
 * queue_top.c - `gatepost queue top`: what goes where, how fast, and why things wait; on a terminal, every two seconds.
 * queued gathers it (queued/top.c); here it is only shown.
 */
#include "base/utf8.h"
#include "ctl/queue.h"
#include "ctl/queue_client.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { REFRESH_MS = 2000, HEAD_LINES = 5, NUMBERS_WIDTH = 54, NEXTHOP_LEAST = 16, WIDTH_MAX = 400 };

static volatile sig_atomic_t ended;
static struct termios before;

struct screen {
	struct buf text;
	unsigned width, height, line;
};

static void on_signal(int signum)
{
	ended = signum != SIGWINCH;
}

/* ---- one picture ---- */

/* At most as wide as the screen, and nothing that a terminal would obey; no line is begun below the last. */
static void put_line(struct screen *s, const char *text, const char *style)
{
	struct str rest = str_c(text);
	unsigned column = 0;

	if (s->line >= s->height)
		return;
	if (s->line++ > 0)
		buf_add_c(&s->text, "\r\n");
	buf_add_c(&s->text, style);
	while (rest.n && column++ < s->width)
		buf_add_str(&s->text, utf8_take_visible(&rest));
	buf_add_c(&s->text, *style ? "\033[0m\033[K" : "\033[K");
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "45s", "12m", "3h", "9d" */
static const char *age(long long s, char *out, size_t size)
{
	static const struct {
		long long from, unit;
		char letter;
	} steps[] = { { 172800, 86400, 'd' }, { 7200, 3600, 'h' }, { 120, 60, 'm' }, { 1, 1, 's' } };

	snprintf(out, size, "-");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (s < steps[i].from)
			continue;
		snprintf(out, size, "%lld%c", s / steps[i].unit, steps[i].letter);
		break;
	}
	return out;
}

static const char *rate(const json_t *d, const char *key, char *out, size_t size)
{
	const json_t *value = json_object_get(d, key);

	if (value == NULL)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.0f", json_number_value(value));
	return out;
}

static const char *concurrency(const json_t *d, char *out, size_t size)
{
	if (json_object_get(d, "concurrency") == NULL)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%lld/%lld", number(d, "concurrency"), number(d, "concurrency_limit"));
	return out;
}

static int name_width(const struct screen *s)
{
	return s->width > NUMBERS_WIDTH + NEXTHOP_LEAST ? (int)s->width - NUMBERS_WIDTH : NEXTHOP_LEAST;
}

static void put_destination(struct screen *s, const json_t *d)
{
	char line[WIDTH_MAX * 4], name[512], oldest[32], sent[32], deferred[32], window[32];
	long long suspended = number(d, "suspended_seconds");
	int width = name_width(s);

	snprintf(name, sizeof name, "%s%s%s", text_of(d, "transport"), *text_of(d, "transport") ? ":" : "",
		text_of(d, "nexthop"));
	snprintf(line, sizeof line, "%-*.*s %6lld %7lld %8lld %7s %7s %6s %6s", width, width, name, number(d, "active"),
		number(d, "waiting"), number(d, "deferred"), rate(d, "sent_per_minute", sent, sizeof sent),
		rate(d, "deferred_per_minute", deferred, sizeof deferred),
		age(number(d, "oldest_seconds"), oldest, sizeof oldest), concurrency(d, window, sizeof window));
	put_line(s, line, "");
	if (*text_of(d, "reason") == '\0')
		return;
	if (suspended > 0)
		snprintf(line, sizeof line, "    tried again in %llds: %s", suspended, text_of(d, "reason"));
	else
		snprintf(line, sizeof line, "    %s", text_of(d, "reason"));
	put_line(s, line, "\033[2m");
}

static void put_head(struct screen *s, const json_t *now)
{
	time_t when = (time_t)number(now, "time");
	long long intake = number(now, "intake");
	char line[WIDTH_MAX], clock[32];
	struct tm tm;

	localtime_r(&when, &tm);
	strftime(clock, sizeof clock, "%H:%M:%S", &tm);
	snprintf(line, sizeof line, "gatepost queue  %s  %lld messages, %lld recipients%s%s", clock,
		number(now, "messages"), number(now, "recipients"),
		json_is_true(json_object_get(now, "recovering")) ? "  RECOVERING" : "",
		intake & 1   ? "  LOW ON SPACE: no mail is taken"
		: intake & 2 ? "  BEHIND: mail is taken later"
			     : "");
	put_line(s, line, "\033[1m");
	snprintf(line, sizeof line, "incoming %lld  active %lld  deferred %lld  hold %lld", number(now, "incoming"),
		number(now, "active"), number(now, "deferred"), number(now, "hold"));
	put_line(s, line, "");
	snprintf(line, sizeof line, "since the start: accepted %lld  sent %lld  deferred %lld  bounced %lld",
		number(now, "accepted"), number(now, "sent"), number(now, "deferrals"), number(now, "bounced"));
	put_line(s, line, "");
	put_line(s, "", "");
	snprintf(line, sizeof line, "%-*s %6s %7s %8s %7s %7s %6s %6s", name_width(s), "DESTINATION", "ACTIVE",
		"WAITING", "DEFERRED", "SENT/m", "DEFER/m", "OLDEST", "CONC");
	put_line(s, line, "\033[7m");
}

static void draw(struct screen *s, const json_t *now)
{
	const json_t *list = json_object_get(now, "destinations"), *d;
	long long all = number(now, "destinations_in_all");
	char line[WIDTH_MAX];
	size_t i, shown = 0;

	s->line = 0;
	put_head(s, now);
	json_array_foreach(list, i, d)
	{
		if (s->line + 3 > s->height) /* the last line says how many are not shown */
			break;
		put_destination(s, d);
		shown++;
	}
	if (json_array_size(list) == 0)
		put_line(s, "nothing waits, and nothing was sent in the last minutes", "");
	if ((long long)shown < all) {
		snprintf(line, sizeof line, "... and %lld more destinations", all - (long long)shown);
		put_line(s, line, "");
	}
}

/* ---- asking ---- */

/* NULL: it is said on stderr, or in *why. The program ends where queued is not running. */
static json_t *ask(const struct conf *conf)
{
	FILE *f = queue_ask("gatepost queue top", conf, "top");
	json_t *now = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);

	fclose(f);
	return now;
}

static const char *error_of(const json_t *now)
{
	const char *error = json_string_value(json_object_get(now, "error"));

	return now == NULL ? "queued ended before it answered" : error;
}

static int once(const struct conf *conf, bool as_json)
{
	struct screen s = { .text = BUF_INIT(1 << 24), .width = 132, .height = UINT32_MAX };
	json_t *now = ask(conf);
	struct str rest, line;

	if (error_of(now)) {
		fprintf(stderr, "gatepost queue top: %s\n", error_of(now));
		return 1;
	}
	if (as_json) {
		json_dumpf(now, stdout, 0);
		putchar('\n');
	} else {
		draw(&s, now);
		rest = buf_str(&s.text);
		while (str_field(&rest, "\n", &line)) { /* for a file or a pipe: without what speaks to terminals */
			for (size_t i = 0; i < line.n; i++) {
				if (line.p[i] == '\033')
					while (i < line.n && !ascii_is_alpha(line.p[i]))
						i++;
				else if (line.p[i] != '\r')
					putchar(line.p[i]);
			}
			putchar('\n');
		}
	}
	buf_free(&s.text);
	json_decref(now);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- the terminal ---- */

static void leave(void)
{
	static const char back[] = "\033[?25h\033[?1049l";

	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (write(STDOUT_FILENO, back, sizeof back - 1) < 0)
		return;
}

static void enter(void)
{
	static const int signums[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	static const char alternate[] = "\033[?1049h\033[?25l";
	struct sigaction act = { .sa_handler = on_signal };
	struct termios raw = before;

	for (size_t i = 0; i < sizeof signums / sizeof *signums; i++)
		sigaction(signums[i], &act, NULL); /* without SA_RESTART: poll() wakes */
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	queue_on_a_screen();
	atexit(leave); /* also where queue_ask() ends the program */
	if (write(STDOUT_FILENO, alternate, sizeof alternate - 1) < 0)
		ended = 1;
}

static void show(struct screen *s, const json_t *now)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	s->width = size.ws_col ? size.ws_col : 80;
	s->width = s->width < WIDTH_MAX ? s->width : WIDTH_MAX - 1;
	s->height = size.ws_row ? size.ws_row : 24;
	buf_reset(&s->text);
	buf_add_c(&s->text, "\033[H");
	if (error_of(now))
		put_line(s, error_of(now), "");
	else
		draw(s, now);
	buf_add_c(&s->text, "\033[J");
	if (write(STDOUT_FILENO, s->text.p, s->text.n) < 0)
		ended = errno != EINTR;
}

/* True: a key that ends it. */
static bool wait_for_key(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	if (poll(&p, 1, REFRESH_MS) <= 0)
		return false;
	return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
}

static int live(const struct conf *conf)
{
	struct screen s = { .text = BUF_INIT(1 << 20), .line = 0 };

	if (tcgetattr(STDIN_FILENO, &before) != 0) {
		fprintf(stderr, "gatepost queue top: no terminal; use --once or --json\n");
		return 1;
	}
	enter();
	while (!ended) {
		json_t *now = ask(conf);

		show(&s, now);
		json_decref(now);
		if (!ended && wait_for_key())
			break;
	}
	buf_free(&s.text);
	return 0;
}

int queue_top(const struct conf *conf, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "once", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 } };
	bool json = false, one = false;
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?')
			return 2;
		json = json || opt == 'j';
		one = one || opt == 'o';
	}
	if (json || one || !isatty(STDOUT_FILENO))
		return once(conf, json);
	return live(conf);
}
