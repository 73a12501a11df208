"""Sessions for test/peer/operate: ehlo PORT | banner PORT | load PORT SECONDS FILE | hold PORT FILE."""
import os
import smtplib
import ssl
import sys
import threading
import time

what, port = sys.argv[1], int(sys.argv[2])


def message(subject):
    return f"Subject: {subject}\r\n\r\nhello\r\n"


if what == "ehlo":
    s = smtplib.SMTP("127.0.0.1", port, timeout=10)
    s.starttls(context=ssl._create_unverified_context())
    s.ehlo()
    print("AUTH" if s.has_extn("auth") else "none")
    s.quit()
elif what == "banner":
    s = smtplib.SMTP(timeout=10)
    print(s.connect("127.0.0.1", port)[1].decode())
    s.quit()
elif what == "load":
    end, lock, sent, errors = time.time() + float(sys.argv[3]), threading.Lock(), 0, []

    def work(k):
        global sent
        n = 0
        while time.time() < end:
            try:
                s = smtplib.SMTP("127.0.0.1", port, timeout=15)
                for _ in range(3):
                    s.sendmail("a@example.net", ["user1@example1.com"], message(f"load {k}-{n}"))
                    n += 1
                s.quit()
            except (OSError, smtplib.SMTPException) as e:
                errors.append(repr(e))
        with lock:
            sent += n

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with open(sys.argv[4], "w") as f:
        f.write(f"sent {sent}\nerrors {len(errors)}\n" + "".join(e + "\n" for e in sorted(set(errors))))
elif what == "hold":
    s = smtplib.SMTP("127.0.0.1", port, timeout=30)
    s.ehlo()
    s.docmd("MAIL", "FROM:<a@example.net>")
    s.docmd("RCPT", "TO:<user1@example1.com>")
    print("open", flush=True)
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.05)
    print(s.data(message("held"))[1].decode())
    s.quit()
