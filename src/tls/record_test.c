/* What is recorded for other processes: names of which nothing changed come from the record of before, and there is a bound. */
#include "tls/held_impl.h"
#include "tls/test_rig.h"

#include "sasl/base64.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* Files are made just now; the clock of the tests is ahead, so that they count as old. */
static time_t ahead = 100;

time_t time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec + ahead;
	return now.tv_sec + ahead;
}

#define CONF                                      \
	"smtpd_tls_chain_files = @/default.all\n" \
	"tls_server_sni_maps = texthash:@/table\n"

static void write_table(void)
{
	FILE *f = fopen(in_dir("table"), "we"), *in = fopen(in_dir("inline.all"), "re");
	struct buf pem = BUF_INIT(65536), text = BUF_INIT(65536);

	buf_commit(&pem, fread(buf_reserve(&pem, 32768), 1, 32768, in));
	fclose(in);
	base64_encode(&text, buf_str(&pem));
	fprintf(f, "file.example %s/file.all\ninline.example %s\n", dir, text.p);
	fclose(f);
	buf_free(&pem);
	buf_free(&text);
}

static void make(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	make_cert(name, name, key);
	EVP_PKEY_free(key);
}

static int record(size_t most, const struct tls_record *before, struct tls_record *out, struct buf *error)
{
	struct tls_ctx *ctx;
	int r;

	tls_record_begin(most, before);
	ctx = server(CONF, "smtp", error);
	check(ctx != NULL);
	r = tls_record_end(out, error);
	tls_ctx_free(&ctx);
	return r;
}

/* The CN of the certificate for that name; NULL asks for the folder's default. */
static const char *served(const struct tls_record *r, const char *name)
{
	struct buf error = BUF_INIT(8192);
	static char cn[64];
	const struct tls_chains *c;
	struct tls_ctx *ctx;

	tls_store_use(dup(r->certs_fd));
	ctx = server(CONF, "smtp", &error);
	tls_store_end();
	c = tls_sni_find(ctx->names, name);
	*cn = '\0';
	if (c)
		X509_NAME_get_text_by_NID(X509_get_subject_name(c->item[0].leaf), NID_commonName, cn, sizeof cn);
	tls_ctx_free(&ctx);
	buf_free(&error);
	return cn;
}

/* The same with each "from" in the certificates made "to", which has as many octets: shows where they were taken from. */
static void change_record(struct tls_record *r, const char *from, const char *to)
{
	struct stat st;
	char *p, *at;
	int fd;

	fstat(r->certs_fd, &st);
	p = xcalloc(1, (size_t)st.st_size);
	check_int(pread(r->certs_fd, p, (size_t)st.st_size, 0), st.st_size);
	while ((at = memmem(p, (size_t)st.st_size, from, strlen(from))) != NULL)
		memcpy(at, to, strlen(to));
	fd = memfd_create("changed", MFD_CLOEXEC);
	check_int(write(fd, p, (size_t)st.st_size), st.st_size);
	close(r->certs_fd);
	r->certs_fd = fd;
	free(p);
}

static void test_what_did_not_change_is_not_read_again(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_record first, again, third;

	(void)state;
	make("file");
	make("inline");
	write_table();
	tls_held_keys_sign_by(NULL);
	check_int(record(TLS_RECORD_MAX, NULL, &first, &error), 0);
	check_int(first.n_keys, 3);
	check_str(str_c(served(&first, "file.example")), "file");
	check_str(str_c(served(&first, "inline.example")), "inline");
	check_str(str_c(served(&first, "none.example")), "");
	change_record(&first,
		"\x0c\x04"
		"file",
		"\x0c\x04"
		"FILE"); /* the name in the certificate, not in the table */
	change_record(&first, "\x0c\x06inline", "\x0c\x06INLINE");
	check_int(record(TLS_RECORD_MAX, &first, &again, &error), 0);
	check_int(again.n_keys, 3);
	check_str(str_c(served(&again, "file.example")), "FILE");
	check_str(str_c(served(&again, "inline.example")), "INLINE");
	/* A new file with the same name. */
	make("file");
	write_table();
	check_int(record(TLS_RECORD_MAX, &again, &third, &error), 0);
	check_str(str_c(served(&third, "file.example")), "file");
	check_str(str_c(served(&third, "inline.example")), "INLINE");
	check_int(third.n_keys, 3);
	tls_record_free(&first);
	tls_record_free(&again);
	tls_record_free(&third);
	check_int(error.n, 0);
}

/* What was written a moment ago may change again without a trace in its times. */
static void test_what_was_just_written_is_read_again(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_record first, again;

	(void)state;
	ahead = 0;
	make("file");
	write_table();
	check_int(record(TLS_RECORD_MAX, NULL, &first, &error), 0);
	change_record(&first,
		"\x0c\x04"
		"file",
		"\x0c\x04"
		"FILE");
	ahead = 100;
	check_int(record(TLS_RECORD_MAX, &first, &again, &error), 0);
	check_str(str_c(served(&again, "file.example")), "file");
	tls_record_free(&first);
	tls_record_free(&again);
}

static void test_too_much_is_told(void **state)
{
	struct buf error = BUF_INIT(8192);
	struct tls_record r;

	(void)state;
	check_int(record(1000, NULL, &r, &error), -1);
	check(memmem(error.p, error.n, "take names out of tls_server_sni_maps", 37) != NULL);
	check_int(r.certs_fd, -1);
	check_int(r.keys_fd, -1);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_did_not_change_is_not_read_again),
		cmocka_unit_test(test_what_was_just_written_is_read_again), cmocka_unit_test(test_too_much_is_told) };
	int r;

	if (mkdtemp(dir) == NULL)
		return 1;
	make("default");
	make("inline");
	r = test_run(tests);
	rig_end();
	return r;
}
