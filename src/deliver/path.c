#include "deliver/path.h"

static const char *part_fault(struct str part)
{
	if (part.n == 0)
		return "has an empty part";
	if (part.n > PATH_PART_MAX)
		return "has a part of over 255 octets";
	if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
		return "has a part \".\" or \"..\"";
	for (size_t i = 0; i < part.n; i++)
		if ((unsigned char)part.p[i] < 0x20 || part.p[i] == 0x7f)
			return "has a control character";
	return NULL;
}

const char *path_fault(struct str path)
{
	struct str part;
	unsigned parts = 0;

	if (path.n == 0)
		return "is empty";
	if (path.n > PATH_OCTETS_MAX)
		return "has over 1024 octets";
	if (path_is_maildir(path))
		path.n--;
	while (str_field(&path, "/", &part)) {
		const char *fault = part_fault(part);
		if (fault)
			return fault;
		if (++parts > PATH_PARTS_MAX)
			return "has over 32 parts";
	}
	return NULL;
}

bool path_is_maildir(struct str path)
{
	return str_has_suffix(path, STR("/"));
}

struct str path_cut_extension(struct str local, struct str delimiters)
{
	for (size_t i = 1; i < local.n; i++)
		if (str_chr(delimiters, local.p[i]) >= 0)
			return str_sub(local, 0, i);
	return local;
}

static int add_part(struct buf *out, struct str part)
{
	/* A leading dot would hide it, and could make a subfolder of a neighbour's Maildir out of it. */
	if (part_fault(part) || part.p[0] == '.' || str_chr(part, '/') >= 0)
		return -1;
	for (size_t i = 0; i < part.n; i++)
		buf_add_char(out, ascii_lower(part.p[i]));
	return buf_add_char(out, '/');
}

int path_of_address(struct buf *out, struct str address, struct str delimiters)
{
	ptrdiff_t at = str_rchr(address, '@');

	if (at <= 0)
		return -1;
	if (add_part(out, str_from(address, (size_t)at + 1)) != 0)
		return -1;
	return add_part(out, path_cut_extension(str_sub(address, 0, (size_t)at), delimiters));
}
