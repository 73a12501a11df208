/* try.h - `authd -t FILE …`: what is wrong with auth.conf and what it offers, for `gatepost check`. It starts nothing. */
#ifndef AUTHD_TRY_H
#define AUTHD_TRY_H

/*
 * A line each on standard output: "fault TEXT", "warning TEXT", and without faults "mechanism NAME" with its properties and
 * "listener PATH" of each socket for clients, separated by TABs. With queue_directory, and the accounts auth_owner and mail_owner,
 * it also looks whether sockets can be made where they shall be, and whether authd can read the files of users that are named;
 * queue NULL: not that. Returns the exit code: 0, 1 there are faults.
 */
int try_settings(const char *file, const char *queue, const char *auth_owner, const char *mail_owner);

#endif
