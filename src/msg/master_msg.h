/*
 * master_msg.h - what master and its children tell each other (channel: descriptor 3 of the child).
 *
 * Children never look for each other: master makes a pair of sockets for each edge of the process picture and gives
 * each side its end (MSG_PEER). When one side dies, the other sees its channel end, and gets a new MSG_PEER when
 * master has started the successor. docs/protocol/ipc.md.
 */
#ifndef MSG_MASTER_MSG_H
#define MSG_MASTER_MSG_H

enum master_msg {
	/* master -> child */
	MSG_START = 1,	 /* first message: see child.c; fds: main.cf text, master.cf text, log, listeners… */
	MSG_PEER = 2,	 /* u8 role, u32 index; 1 fd: channel to that process */
	MSG_STOP = 3,	 /* u8 enum stop_how (msg/roles.h) */
	MSG_STATUS = 4,	 /* u32 request: answer with MSG_STATUS_ANSWER */
	MSG_WHO = 5,	 /* u32 request: answer with MSG_WHO_ANSWER, one or more */
	MSG_TICKETS = 6, /* str: secrets of session tickets, the newest first, to an smtpd */
	/* child -> master */
	MSG_READY = 16,		/* str: jail in force. In the jail, serving */
	MSG_STATUS_ANSWER = 17, /* u32 request, str JSON object */
	MSG_WHO_ANSWER = 19,	/* u32 request, u8 it is the last one, str JSON objects with commas between them */
	MSG_VIOLATION = 18,	/* u8 role, u32 index, str why: that peer asked for what it may not; master kills it */
	MSG_NEED = 20		/* u8 role: that one too is to be started; authd, of fetchd */
};

#endif
