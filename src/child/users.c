#include "child/users.h"
#include "base/arena.h"

#include <pwd.h>
#include <stdlib.h>

struct user_rule {
	uid_t uid;
	bool may;
};

static void add(struct user_list *l, struct str name, bool may)
{
	char *text = xstrndup(name);
	const struct passwd *pw = getpwnam(text);

	free(text);
	if (pw == NULL)
		return;
	l->rule = xrealloc(l->rule, (l->n + 1) * sizeof *l->rule);
	l->rule[l->n++] = (struct user_rule){ pw->pw_uid, may };
}

void user_list_read(struct user_list *l, struct str text)
{
	struct str word;

	*l = (struct user_list){ false, NULL, 0 };
	while (str_word(&text, ", \t\r\n", &word)) {
		bool may = word.p[0] != '!';

		if (!may)
			word = str_from(word, 1);
		if (str_has_prefix(word, STR("static:"))) {
			l->others = may; /* all that come behind it are never asked */
			return;
		}
		add(l, word, may);
	}
}

bool user_list_has(const struct user_list *l, uid_t uid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->rule[i].uid == uid)
			return l->rule[i].may;
	return l->others;
}

void user_list_free(struct user_list *l)
{
	free(l->rule);
	*l = (struct user_list){ false, NULL, 0 };
}
