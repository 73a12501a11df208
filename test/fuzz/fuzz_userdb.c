/*
 * What a userdb service may say to mapd: the input is its octets, octet 0 the field that is asked for. Oracle: a question
 * ends, and finds somebody only where the input has a USER line; the number of an earlier question never counts.
 */
#include "../../src/map/table_userdb.c"

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct userdb_table *u = userdb_of(userdb_make());
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum map_status status;
	int pair[2], room = 1 << 20;

	if (size > 0 && size < 65536) {
		require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
		require(send(pair[1], data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size - 1);
		shutdown(pair[1], SHUT_WR);
		u->fd = pair[0];
		u->path = xstrdup("/sock");
		u->field = xstrdup(data[0] & 1 ? "home" : "user");
		u->id = 6; /* ours is 7 */
		status = ask(u, STR("u@x"), &value, table_now_ms() + 1000);
		require(status != MAP_FOUND || memmem(data, size, "USER\t", 5) != NULL);
		require(status == MAP_FOUND || value.n == 0);
		close(pair[1]);
	}
	buf_free(&value);
	userdb_free(&u->table);
	return 0;
}
