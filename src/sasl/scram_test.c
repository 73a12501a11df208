/* SCRAM and SASLprep: the examples of the RFCs and others' vectors (shared corpora, sasl/scram.tsv), and what must fail. */
#include "base/test.h"
#include "sasl/base64.h"
#include "sasl/sasl_mech.h"
#include "sasl/saslprep.h"
#include "sasl/scram.h"

struct vector {
	const char *mech, *pass, *client_first, *server_first, *client_final, *server_final;
	const char *binding; /* of -PLUS */
};
#define N1 "fyko+d2lbbFgONRv9qkxdawL"
#define F1 N1 "3rfcNHYJY1ZVvWVs7j"
#define N2 "rOprNGfwEbeRWgbNEkqO"
#define F2 N2 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define S1 "r=" F1 ",s=QSXCR+Q6sek8bf92,i=4096"
#define S2 "r=" F2 ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

static const struct vector vectors[] = {
	/* RFC 5802 sec. 5; RFC 7677 sec. 3 */
	{ "SCRAM-SHA-1", "pencil", "n,,n=user,r=" N1, S1,
		"c=biws,r=" F1 ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", NULL },
	{ "SCRAM-SHA-256", "pencil", "n,,n=user,r=" N2, S2,
		"c=biws,r=" F2 ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", NULL },
	/* tlocke/scramp */
	{ "SCRAM-SHA-1", "pencil", "y,,n=user,r=" N1, S1,
		"c=eSws,r=" F1 ",p=BjZF5dV+EkD3YCb3pH3IP8riMGw=", "v=dsprQ5R2AGYt1kn4bQRwTAE0PTU=", NULL },
	{ "SCRAM-SHA-1-PLUS", "pencil", "p=tls-unique,,n=user,r=" N1, S1,
		"c=cD10bHMtdW5pcXVlLCx4eHg=,r=" F1 ",p=/63TtbB5lIS6610+k4/luJMJqAI=", "v=GCPHy5gy1sRwXTCbwNhiiWIzLtU=",
		"xxx" },
	{ "SCRAM-SHA-256-PLUS", "pencil", "p=tls-unique,,n=user,r=" N2, S2,
		"c=cD10bHMtdW5pcXVlLCx4eHg=,r=" F2 ",p=v0J7PaQUPWowoTrwRLCKLzIZBpNUhWFlTrUKI1j9DpM=",
		"v=XjAev9iHBOvTxT+eNzBaFmP1IrqWah2PpZAa0wQrfY4=", "xxx" },
	/* the same inputs with the longest hash */
	{ "SCRAM-SHA-512", "pencil", "n,,n=user,r=" N2, S2,
		"c=biws,r=" F2
		",p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
		"v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==", NULL },
};
enum { N_VECTORS = sizeof vectors / sizeof *vectors };

/* One exchange with a vector's salt and nonce; `final` is what the client says last. */
struct run {
	struct arena *mem;
	struct buf out, key;
	struct sasl_xchg *x;
	const struct sasl_mech *mech;
};

/* The keys of a vector's password, with its salt and count. */
static void make_key(const struct vector *v, const char *pass, struct buf *key)
{
	const struct scram_hash *h = sasl_mech_find(str_c(v->mech))->scram;
	struct str rest = str_c(v->server_first), nonce, salt = { 0 }, count;
	struct scram_keys k = { 0 };
	struct buf raw = BUF_INIT(256);
	uint64_t n = 0;

	check(scram_attribute(&rest, 'r', &nonce) && scram_attribute(&rest, 's', &salt) &&
		scram_attribute(&rest, 'i', &count) && str_u64(count, &n));
	check_int(base64_decode(&raw, salt), 0);
	memcpy(k.salt, raw.p, raw.n);
	k.salt_n = raw.n;
	k.iterations = (uint32_t)n;
	check_int(scram_derive(h, str_c(pass), &k), 0);
	check_int(scram_keys_format(h, &k, key), 0);
	buf_free(&raw);
}

static void run_begin(struct run *r, const struct vector *v, struct str first)
{
	struct str client_nonce = str_c(strstr(v->client_first, ",r=") + 3), rest = str_c(v->server_first), nonce;

	r->mem = arena_new(0);
	r->out = BUF_INIT(65536);
	r->mech = sasl_mech_find(str_c(v->mech));
	check(r->mech != NULL);
	r->x = sasl_xchg_new(r->mech, r->mem, &r->out);
	scram_attribute(&rest, 'r', &nonce);
	r->x->nonce = str_from(nonce, client_nonce.n);
	check_int(r->mech->step(r->x, (struct str){ 0 }), SASL_MORE);
	check_int(r->out.n, 0);
	if (v->binding) {
		check_int(r->mech->step(r->x, first), SASL_WANT_BINDING);
		check_str(r->x->binding_type, "tls-unique");
		r->x->binding = str_c(v->binding);
		first = (struct str){ 0 };
	}
	check_int(r->mech->step(r->x, first), SASL_WANT_KEY);
	check_str(r->x->authcid, "user");
	r->x->key = buf_str(&r->key);
	check_int(r->mech->step(r->x, (struct str){ 0 }), SASL_MORE);
}

static void run_end(struct run *r)
{
	buf_free(&r->out);
	arena_wipe(&r->mem);
}

static enum sasl_step run_final(struct run *r, struct str final)
{
	buf_reset(&r->out);
	return r->mech->step(r->x, final);
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct run r = { .key = BUF_INIT(4096) };

		make_key(v, v->pass, &r.key);
		run_begin(&r, v, str_c(v->client_first));
		check_str(buf_str(&r.out), v->server_first);
		check_int(run_final(&r, str_c(v->client_final)), SASL_OK);
		check_str(buf_str(&r.out), v->server_final);
		run_end(&r);
		/* The same with another password's keys, and with nobody's. */
		buf_reset(&r.key);
		make_key(v, "pencils", &r.key);
		run_begin(&r, v, str_c(v->client_first));
		check_int(run_final(&r, str_c(v->client_final)), SASL_FAIL);
		check_str(buf_str(&r.out), "e=invalid-proof");
		run_end(&r);
		buf_reset(&r.key);
		run_begin(&r, v, str_c(v->client_first));
		check_int(run_final(&r, str_c(v->client_final)), SASL_FAIL);
		run_end(&r);
		buf_free(&r.key);
	}
}

/* Several passwords of one user: each is proven by its own key, when that has the salt that was shown. */
static void test_several_keys(void **state)
{
	static const struct {
		const char *pass[3]; /* of the keys; "*…": with another salt */
		int which;	     /* -1: refused */
	} cases[] = {
		{ { "pencil", "b", "c" }, 0 },
		{ { "a", "pencil", "c" }, 1 },
		{ { "a", "b", "pencil" }, 2 },
		{ { "a", "b", "c" }, -1 },
		{ { "a", "*pencil", "c" }, -1 },
		{ { "a", "*b", "pencil" }, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct vector *v = &vectors[1];
		const struct scram_hash *h = sasl_mech_find(str_c(v->mech))->scram;
		struct run r = { .key = BUF_INIT(4096) };
		bool good = cases[i].which >= 0;

		for (size_t k = 0; k < 3; k++) {
			const char *pass = cases[i].pass[k];
			struct scram_keys other;

			if (k)
				buf_add_char(&r.key, ' ');
			if (*pass != '*') {
				make_key(v, pass, &r.key);
				continue;
			}
			check_int(scram_keys_new(h, str_c(pass + 1), &other), 0);
			check_int(scram_keys_format(h, &other, &r.key), 0);
		}
		run_begin(&r, v, str_c(v->client_first));
		check_str(buf_str(&r.out), v->server_first);
		check_int(run_final(&r, str_c(v->client_final)), good ? SASL_OK : SASL_FAIL);
		check_str(buf_str(&r.out), good ? v->server_final : "e=invalid-proof");
		if (good)
			check_int(r.x->which, cases[i].which);
		run_end(&r);
		buf_free(&r.key);
	}
}

/* Whatever bit of the last message is another one: no success. Nor with any of it cut off, or something behind. */
static void test_no_bit_may_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		size_t n = strlen(v->client_final);
		struct run r = { .key = BUF_INIT(4096) };
		char text[512];

		make_key(v, v->pass, &r.key);
		for (size_t bit = 0; bit < n * 8; bit++) {
			memcpy(text, v->client_final, n);
			text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
			run_begin(&r, v, str_c(v->client_first));
			check(run_final(&r, str_pn(text, n)) != SASL_OK);
			run_end(&r);
		}
		for (size_t cut = 0; cut <= n + 1; cut++) {
			snprintf(text, sizeof text, "%s,", v->client_final);
			run_begin(&r, v, str_c(v->client_first));
			check_int(run_final(&r, str_pn(text, cut)) == SASL_OK, cut == n);
			run_end(&r);
		}
		buf_free(&r.key);
	}
}

static void test_first_messages(void **state)
{
	static const struct {
		const char *mech, *first;
		bool plus_offered;
		enum sasl_step want;
		const char *out, *authcid, *authzid;
	} cases[] = {
		{ "SCRAM-SHA-256", "n,,n=user,r=abc", true, SASL_WANT_KEY, "", "user", "" },
		{ "SCRAM-SHA-256", "y,,n=user,r=abc", false, SASL_WANT_KEY, "", "user", "" },
		{ "SCRAM-SHA-256", "n,a=boss,n=user,r=abc", false, SASL_WANT_KEY, "", "user", "boss" },
		{ "SCRAM-SHA-256", "n,,n=a=2Cb=3Dc,r=abc", false, SASL_WANT_KEY, "", "a,b=c", "" },
		{ "SCRAM-SHA-256", "n,,n=user,r=abc,x=more", false, SASL_WANT_KEY, "", "user", "" },
		{ "SCRAM-SHA-256", "n,,n=I\xc2\xadX,r=abc", false, SASL_WANT_KEY, "", "IX", "" },
		{ "SCRAM-SHA-256", "y,,n=user,r=abc", true, SASL_BAD, "e=server-does-support-channel-binding", "", "" },
		{ "SCRAM-SHA-256", "p=tls-unique,,n=user,r=abc", true, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256-PLUS", "n,,n=user,r=abc", true, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256-PLUS", "y,,n=user,r=abc", true, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256-PLUS", "p=,,n=user,r=abc", true, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256-PLUS", "p=tls exporter,,n=user,r=abc", true, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=user,r=abc", true, SASL_WANT_BINDING, "", "user", "" },
		{ "SCRAM-SHA-256", "x,,n=user,r=abc", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,,m=ext,n=user,r=abc", false, SASL_BAD, "e=extensions-not-supported", "", "" },
		{ "SCRAM-SHA-256", "n,,n=us=2cer,r=abc", false, SASL_BAD, "e=invalid-username-encoding", "", "" },
		{ "SCRAM-SHA-256", "n,,n=user=,r=abc", false, SASL_BAD, "e=invalid-username-encoding", "", "" },
		{ "SCRAM-SHA-256", "n,,n=us\aer,r=abc", false, SASL_BAD, "e=invalid-username-encoding", "", "" },
		{ "SCRAM-SHA-256",
			"n,,n=us\xff"
			"er,r=abc",
			false, SASL_BAD, "e=invalid-username-encoding", "", "" },
		{ "SCRAM-SHA-256", "n,,n=,r=abc", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,,n=user,r=", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,,n=user,r=a\x7f", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,,n=user", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,,r=abc,n=user", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,b=x,n=user,r=abc", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "n,", false, SASL_BAD, "e=other-error", "", "" },
		{ "SCRAM-SHA-256", "", false, SASL_BAD, "e=other-error", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct sasl_mech *m = sasl_mech_find(str_c(cases[i].mech));
		struct arena *mem = arena_new(0);
		struct buf out = BUF_INIT(4096);
		struct sasl_xchg *x = sasl_xchg_new(m, mem, &out);

		x->is_plus_offered = cases[i].plus_offered;
		check_int(m->step(x, str_c(cases[i].first)), cases[i].want);
		check_str(buf_str(&out), cases[i].out);
		check((x->why != NULL) == (cases[i].want == SASL_BAD));
		if (cases[i].want != SASL_BAD) {
			check_str(x->authcid, cases[i].authcid);
			check_str(x->authzid, cases[i].authzid);
		}
		if (cases[i].want == SASL_WANT_BINDING) { /* there is no TLS, or not that binding */
			buf_reset(&out);
			check_int(m->step(x, (struct str){ 0 }), SASL_BAD);
			check_str(buf_str(&out), "e=unsupported-channel-binding-type");
		}
		buf_free(&out);
		arena_wipe(&mem);
	}
}

/* The channel's data of another connection, the header of another message: the proof is right, the binding is not. */
static void test_binding(void **state)
{
	const struct vector *v = &vectors[4];
	struct run r = { .key = BUF_INIT(4096) };

	(void)state;
	make_key(v, v->pass, &r.key);
	run_begin(&r, v, str_c(v->client_first));
	r.x->binding = STR("xxy");
	check_int(run_final(&r, str_c(v->client_final)), SASL_BAD);
	check_str(buf_str(&r.out), "e=channel-bindings-dont-match");
	run_end(&r);
	buf_reset(&r.key);
	make_key(&vectors[1], "pencil", &r.key);
	run_begin(&r, &vectors[1], STR("y,,n=user,r=" N2));
	check_int(run_final(&r, str_c(vectors[1].client_final)), SASL_BAD);
	run_end(&r);
	buf_free(&r.key);
}

/* Our keys, both sides of the computation, and the stored form. */
static void test_keys(void **state)
{
	static const char *const names[] = { "SHA-1", "sha-256", "SHA-512" };
	/* doveadm pw -s SCRAM-SHA-256 -p SecurePass */
	static const char dovecot[] = "4096,JU+R9WqCKkIupul2Kcn3dg==,JlJN1A9zlYMDJy6uTGJ7XzmSKEyGjQh93N6ZORAgygs=,"
				      "TKM3iaAJIldkR5lOXfe7diBvW9O3SB7mLNcrerronV4=";
	static const char *const not_stored[] = { "", "4096", "4096,QQ==", "0,QQ==,QQ==,QQ==", "x,QQ==,QQ==,QQ==",
		"4096,QQ==,QQ==,QQ==", "4096,,QQ==,QQ==", "99999999999,QQ==,QQ==,QQ==" };

	(void)state;
	check(scram_hash_find(STR("MD5")) == NULL);
	for (size_t i = 0; i < 3; i++) {
		const struct scram_hash *h = scram_hash_find(str_c(names[i]));
		unsigned char proof[SCRAM_HASH_MAX], want[SCRAM_HASH_MAX], got[SCRAM_HASH_MAX];
		struct buf record = BUF_INIT(SCRAM_RECORD_MAX), more = BUF_INIT(SCRAM_RECORD_MAX);
		struct scram_keys k, again;

		check(h != NULL);
		check_int(scram_keys_new(h, STR("SecurePass"), &k), 0);
		check_int(k.iterations, SCRAM_ITERATIONS);
		check_int(scram_keys_format(h, &k, &record), 0);
		check_int(scram_keys_parse(h, buf_str(&record), &again), 0);
		check(memcmp(&k, &again, sizeof k) == 0);
		check_int(scram_keys_verify(h, buf_str(&record), STR("SecurePass")), 1);
		check_int(scram_keys_verify(h, buf_str(&record), STR("SecurePast")), 0);
		buf_addf(&more, "%s,QQ==", record.p);
		check_int(scram_keys_verify(h, buf_str(&more), STR("SecurePass")), -1);
		check_int(scram_client_proof(h, STR("SecurePass"), &k, STR("message"), proof, want), 0);
		check(scram_proof_is_good(h, &k, STR("message"), str_pn(proof, h->n)));
		check(!scram_proof_is_good(h, &k, STR("massage"), str_pn(proof, h->n)));
		check(!scram_proof_is_good(h, &k, STR("message"), str_pn(proof, h->n - 1)));
		scram_server_signature(h, &k, STR("message"), got);
		check(memcmp(got, want, h->n) == 0);
		check_int(scram_client_proof(h, STR("SecurePast"), &k, STR("message"), proof, want), 0);
		check(!scram_proof_is_good(h, &k, STR("message"), str_pn(proof, h->n)));
		buf_free(&record);
		buf_free(&more);
	}
	for (size_t i = 0; i < sizeof not_stored / sizeof *not_stored; i++)
		check_int(scram_keys_verify(&scram_sha256, str_c(not_stored[i]), STR("x")), -1);
	check_int(scram_keys_verify(&scram_sha256, str_c(dovecot), STR("SecurePass")), 1);
	check_int(scram_keys_verify(&scram_sha256, str_c(dovecot), STR("SecurePast")), 0);
}

/* Two ways to type it. */
static void test_prepared_password(void **state)
{
	struct scram_keys a, b;

	(void)state;
	check_int(scram_keys_new(&scram_sha256, STR("I\xc2\xadX"), &a), 0);
	b = a;
	check_int(scram_derive(&scram_sha256, STR("\xe2\x85\xa8"), &b), 0);
	check(memcmp(&a, &b, sizeof a) == 0);
}

static void test_saslprep(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} cases[] = {
		/* RFC 4013 sec. 3 */
		{ "I\xc2\xadX", "IX" }, { "user", "user" }, { "USER", "USER" }, { "\xc2\xaa", "a" },
		{ "\xe2\x85\xa8", "IX" }, { "\a", NULL }, { "\xd8\xa7\x31", NULL },
		/* and more */
		{ "a b", "a b" },
		{ "a\xc2\xa0"
		  "b",
			"a b" }, /* a space of another kind */
		{ "u\xcc\x88", "\xc3\xbc" }, { "\xc3\xbc", "\xc3\xbc" }, { "\xc2\xad", NULL }, /* nothing left */
		{ "", NULL }, { "\xff", NULL }, { "a\x7f", NULL }, { "\xef\xbf\xbd", NULL },   /* U+FFFD */
	};
	struct buf small = BUF_INIT(4), large = BUF_INIT(65536);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(256);

		check_int(saslprep(str_c(cases[i].in), &out), cases[i].want ? 0 : -1);
		check_str(buf_str(&out), cases[i].want ? cases[i].want : "");
		buf_free(&out);
	}
	check_int(saslprep(STR("12345"), &small), -1);
	check_int(saslprep(STR("a\0b"), &small), -1);
	check_int(small.n, 0);
	/* the code point that grows most */
	check_int(saslprep(STR("\xef\xb7\xba\xef\xb7\xba\xef\xb7\xba"), &large), 0);
	check(large.n > 60);
	buf_free(&small);
	buf_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors), cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_no_bit_may_change), cmocka_unit_test(test_first_messages),
		cmocka_unit_test(test_binding), cmocka_unit_test(test_keys), cmocka_unit_test(test_prepared_password),
		cmocka_unit_test(test_saslprep) };

	return test_run(tests);
}
