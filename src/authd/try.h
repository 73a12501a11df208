/* try.h - `authd -t FILE …`: what is wrong with auth.conf and what it offers, for `gatepost check`. It starts nothing. */
#ifndef AUTHD_TRY_H
#define AUTHD_TRY_H

/*
 * What is wrong with auth.conf; also whether sockets can be made where they shall be, below queue_directory and elsewhere, and
 * whether authd, with the accounts auth_owner and mail_owner, can read the files of users that are named. A line each on standard
 * output, its words separated by TABs: "warning TEXT", "fault TEXT", and without faults "mechanism NAME" with its properties,
 * "listener PATH" of each UNIX socket for logins, "userdb PATH" of each for questions about users. Returns the exit code: 0, or 1,
 * there are faults.
 */
int try_settings(const char *file, const char *queue, const char *auth_owner, const char *mail_owner);

#endif
