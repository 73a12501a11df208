/* params_system.c - the table of parameters: processes, files, logging. */
#include "conf/params.h"

static const struct param rows[] = {
	P_LIST("alternate_config_directories", "", KNOWN,
		"Other configuration directories that set-gid commands may be given with -c"),
	P_TIME("anvil_rate_time_unit", "60s", 's', 1, 0, ACTS, "Time over which the per-client rates count"),
	P_TIME("anvil_status_update_time", "600s", 's', 1, 0, KNOWN, "How often the highest rates are logged"),
	P_TIME("application_event_drain_time", "100s", 's', 1, 0, KNOWN,
		"How long postfix(1) waits for services to settle"),
	P_LIST("authorized_flush_users", "static:anyone", ACTS, "Who may flush the queue"),
	P_LIST("authorized_mailq_users", "static:anyone", ACTS, "Who may list the queue"),
	P_LIST("authorized_submit_users", "static:anyone", ACTS, "Who may submit mail with sendmail(1)"),
	P_OCTETS("berkeley_db_create_buffer_size", "16777216", 1, KNOWN, "Memory to create a Berkeley DB table with"),
	P_OCTETS("berkeley_db_read_buffer_size", "131072", 1, KNOWN, "Memory to read a Berkeley DB table with"),
	{ "compatibility_level", PARAM_LEVEL, "3.11", NULL, 0, 0, 0, ACTS, SINGLE,
		"Level whose defaults apply; unset means the newest" },
	P_STRING("config_directory", "", ACTS, "Directory of main.cf and master.cf"),
	P_STRING("cyrus_sasl_config_path", "", KNOWN, "Where Cyrus SASL finds its configuration"),
	P_STRING("daemon_directory", "", ACTS, "Directory of the programs that master starts"),
	P_BOOL("daemon_table_open_error_is_fatal", "no", KNOWN,
		"End a process when a table cannot be opened, instead of failing its lookups"),
	P_TIME("daemon_timeout", "18000s", 's', 1, 0, KNOWN, "How long one request may keep a process busy"),
	P_STRING("data_directory", "/var/lib/gatepost", KNOWN, "Directory of caches and other state of the system"),
	P_INT("debug_peer_level", "2", 1, 0, KNOWN, "By how much more is logged for debug_peer_list"),
	P_LIST("debug_peer_list", "", KNOWN, "Clients and servers whose sessions are logged in detail"),
	P_STRING("debugger_command", "", KNOWN, "Command that is started for a process with -D"),
	P_STRING("default_cache_db_type", "lmdb", KNOWN, "Table type of caches"),
	P_STRING("default_database_type", "hash", KNOWN, "Table type when none is given"),
	P_INT("default_process_limit", "100", 1, 0, ACTS, "Processes of a service whose maxproc column is \"-\""),
	P_BOOL("enable_long_queue_ids", "no", ACTS,
		"Show the queue in the columns for long queue identifiers; ours never come again"),
	P_STRING("error_service_name", "error", KNOWN, "Service that fails or delays all its mail"),
	P_INT("fault_injection_code", "0", 0, 0, KNOWN, "Fault to play, for tests"),
	P_STRING("flush_service_name", "flush", KNOWN, "Service that keeps records of deferred mail per site"),
	P_INT("fork_attempts", "5", 1, 0, KNOWN, "How often to try to start a process"),
	P_TIME("fork_delay", "1s", 's', 1, 0, KNOWN, "Time between two tries to start a process"),
	P_BOOL("helpful_warnings", "yes", KNOWN, "Warn of settings that are probably wrong"),
	P_STRING("html_directory", "no", KNOWN, "Where manuals in HTML are"),
	P_LIST("import_environment", "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C", KNOWN,
		"Environment that is taken from whoever starts the system"),
	P_ENUM("info_log_address_format", "external", "internal|external", KNOWN,
		"Form of addresses in the log: external (quoted) or internal"),
	P_TIME("ipc_idle", "5s", 's', 1, 0, KNOWN, "When an idle connection between processes is closed"),
	P_TIME("ipc_timeout", "3600s", 's', 1, 0, KNOWN, "How long to wait for another process"),
	P_TIME("ipc_ttl", "1000s", 's', 1, 0, KNOWN, "When a used connection between processes is closed"),
	P_LIST("known_tcp_ports", "lmtp=24, smtp=25, smtps=submissions=465, submission=587", KNOWN,
		"Port numbers for service names, instead of the system's table"),
	P_OCTETS("line_length_limit", "2048", 512, KNOWN, "Longest line that is kept whole"),
	P_OCTETS("lmdb_map_size", "16777216", 1, KNOWN, "First size of an LMDB table"),
	P_STRING("mail_name", "Gatepost", ACTS, "Name of the system, in the greeting and in Received fields"),
	P_STRING("mail_owner", "gatepost", ACTS, "User of the processes without an own user, and owner of the queue"),
	P_STRING("mail_release_date", "", KNOWN, "Date of this version"),
	P_STRING("mail_version", GATEPOST_VERSION, ACTS, "Version of this system"),
	P_STRING("maillog_file", "", ACTS, "File for the log; empty means syslog"),
	P_STRING("maillog_file_compressor", "gzip", KNOWN, "Command that compresses an old log"),
	P_STRING("maillog_file_permissions", "0600", KNOWN, "Mode of the log file"),
	P_LIST("maillog_file_prefixes", "/var, /dev/stdout", KNOWN, "Where maillog_file may be"),
	P_STRING("maillog_file_rotate_suffix", "%Y%m%d-%H%M%S", KNOWN, "Suffix of an old log, as for strftime"),
	P_STRING("mailq_path", "$command_directory/mailq", KNOWN, "Path of mailq(1)"),
	P_STRING("manpage_directory", "/usr/share/man", KNOWN, "Where manual pages are"),
	P_STRING("master_service_disable", "", KNOWN, "Services of master.cf that are turned off: name/type"),
	P_TIME("max_idle", "100s", 's', 1, 0, KNOWN, "When an idle process ends"),
	P_INT("max_use", "100", 1, 0, KNOWN, "Requests after which a process ends"),
	P_STRING("meta_directory", "$config_directory", KNOWN, "Where the list of installed files is"),
	P_LIST("multi_instance_directories", "", KNOWN, "Configuration directories of further instances"),
	P_BOOL("multi_instance_enable", "no", KNOWN, "May this instance be started by the instance manager"),
	P_STRING("multi_instance_group", "", KNOWN, "Group of this instance"),
	P_STRING("multi_instance_name", "", ACTS, "Name of this instance"),
	P_STRING("multi_instance_wrapper", "", KNOWN, "Command of the instance manager"),
	P_STRING("newaliases_path", "$command_directory/newaliases", KNOWN, "Path of newaliases(1)"),
	P_STRING("non_bdb_custom_mapping", "", KNOWN, "Types that replace those of Berkeley DB"),
	P_LIST("non_bdb_migration_allow_root_prefixes", "/etc /usr/local/etc", KNOWN,
		"Where tables of root may be rebuilt"),
	P_LIST("non_bdb_migration_allow_user_prefixes", "$data_directory /var/lib/mailman /var/lib/mailman3", KNOWN,
		"Where tables of others may be rebuilt"),
	P_STRING("non_bdb_migration_level", "disable", KNOWN, "How tables of Berkeley DB are replaced"),
	P_BOOL("non_bdb_migration_log_redirect", "yes", KNOWN, "Log each table that is replaced"),
	P_STRING("non_bdb_migration_service_name", "nbdb_reindex", KNOWN, "Service that rebuilds tables"),
	P_STRING("openssl_path", "openssl", KNOWN, "Path of openssl(1)"),
	P_STRING("pickup_service_name", "pickup", ACTS, "Service that takes up local mail"),
	P_STRING("postlog_service_name", "postlog", KNOWN, "Service that writes maillog_file"),
	P_TIME("postlogd_watchdog_timeout", "10s", 's', 10, 0, KNOWN, "How long one request of postlogd may take"),
	P_LIST("postmulti_control_commands", "reload flush", KNOWN, "Commands for all running instances"),
	P_LIST("postmulti_start_commands", "start", KNOWN, "Commands that start instances"),
	P_LIST("postmulti_stop_commands", "stop abort drain quick-stop", KNOWN, "Commands that stop instances"),
	P_STRING("process_id", "", ACTS, "Number of this process"),
	P_STRING("process_id_directory", "pid", KNOWN, "Directory of lock files, below queue_directory"),
	P_STRING("process_name", "", ACTS, "Name of this program"),
	P_LIST("proxy_read_maps",
		"$local_recipient_maps $mydestination $virtual_alias_maps $virtual_alias_domains $virtual_mailbox_maps "
		"$virtual_mailbox_domains $relay_recipient_maps $relay_domains $canonical_maps $sender_canonical_maps "
		"$recipient_canonical_maps $relocated_maps $transport_maps $mynetworks $smtpd_sender_login_maps "
		"$sender_bcc_maps $recipient_bcc_maps $smtp_generic_maps $lmtp_generic_maps $alias_maps "
		"$smtpd_client_restrictions $smtpd_helo_restrictions $smtpd_sender_restrictions "
		"$smtpd_relay_restrictions $smtpd_recipient_restrictions "
		"$address_verify_sender_dependent_default_transport_maps "
		"$address_verify_sender_dependent_relayhost_maps $address_verify_transport_maps "
		"$fallback_transport_maps $lmtp_discard_lhlo_keyword_address_maps $lmtp_pix_workaround_maps "
		"$lmtp_sasl_password_maps $lmtp_tls_policy_maps $mailbox_command_maps $mailbox_transport_maps "
		"$postscreen_discard_ehlo_keyword_address_maps $rbl_reply_maps "
		"$sender_dependent_default_transport_maps $sender_dependent_relayhost_maps "
		"$smtp_discard_ehlo_keyword_address_maps $smtp_pix_workaround_maps $smtp_sasl_password_maps "
		"$smtp_tls_policy_maps $smtpd_discard_ehlo_keyword_address_maps $smtpd_milter_maps $virtual_gid_maps "
		"$virtual_uid_maps $local_login_sender_maps $postscreen_reject_footer_maps $smtpd_reject_footer_maps "
		"$tls_server_sni_maps $tlsproxy_client_policy_maps $default_delivery_status_filter "
		"$lmtp_delivery_status_filter $lmtp_dns_reply_filter $lmtp_reply_filter $local_delivery_status_filter "
		"$pipe_delivery_status_filter $postscreen_command_filter $smtp_delivery_status_filter "
		"$smtp_dns_reply_filter $smtp_reply_filter $smtpd_command_filter $smtpd_dns_reply_filter "
		"$virtual_delivery_status_filter $body_checks $header_checks $lmtp_body_checks $lmtp_header_checks "
		"$lmtp_mime_header_checks $lmtp_nested_header_checks $milter_header_checks $mime_header_checks "
		"$nested_header_checks $smtp_body_checks $smtp_header_checks $smtp_mime_header_checks "
		"$smtp_nested_header_checks $smtpd_reject_filter_maps $debug_peer_list $smtpd_etrn_restrictions "
		"$fast_flush_domains $authorized_flush_users $lmtp_connection_cache_destinations "
		"$local_header_rewrite_clients $masquerade_exceptions $postscreen_access_list "
		"$postscreen_allowlist_interfaces $postscreen_forbidden_commands $qmqpd_authorized_clients "
		"$authorized_mailq_users $smtp_connection_cache_destinations $smtpd_log_access_permit_actions "
		"$smtpd_forbidden_commands $smtpd_client_event_limit_exceptions $smtpd_sasl_exceptions_networks "
		"$smtpd_sasl_mechanism_filter $smtp_requiretls_policy $smtp_sasl_mechanism_filter "
		"$authorized_submit_users $smtpd_authorized_verp_clients $smtpd_authorized_xclient_hosts "
		"$smtpd_authorized_xforward_hosts $lmtp_tls_loglevel_maps $postscreen_tls_loglevel_maps "
		"$smtp_tls_loglevel_maps $smtpd_tls_loglevel_maps",
		KNOWN, "Tables that proxymap may read"),
	P_LIST("proxy_write_maps",
		"$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name $address_verify_map $postscreen_cache_map",
		KNOWN, "Tables that proxymap may write"),
	P_STRING("proxymap_service_name", "proxymap", KNOWN, "Service that reads tables for others"),
	P_STRING("proxywrite_service_name", "proxywrite", KNOWN, "Service that writes tables for others"),
	P_STRING("readme_directory", "no", KNOWN, "Where the descriptions are"),
	P_BOOL("respectful_logging", "${{$compatibility_level} <level {3.6} ? {no} : {yes}}", KNOWN,
		"Use the newer words in log lines and settings"),
	P_STRING("rewrite_service_name", "rewrite", KNOWN, "Service that rewrites addresses"),
	P_STRING("sample_directory", "$config_directory", KNOWN, "Where example files are"),
	P_ENUM("sendmail_fix_line_endings", "always", "never|always|strict", KNOWN,
		"When sendmail(1) turns CRLF into LF"),
	P_STRING("sendmail_path", "$command_directory/sendmail", KNOWN, "Path of sendmail(1)"),
	P_STRING("service_name", "", ACTS, "Name of this service in master.cf"),
	P_TIME("service_throttle_time", "60s", 's', 1, 0, KNOWN,
		"How long to wait before a service whose process failed is started again"),
	P_STRING("setgid_group", "postdrop", KNOWN, "Group of programs that local users submit mail with"),
	P_STRING("shlib_directory", "no", KNOWN, "Where shared libraries are"),
	P_BOOL("show_user_unknown_table_name", "yes", KNOWN, "Name the table in \"User unknown in TABLE\""),
	P_STRING("showq_service_name", "showq", KNOWN, "Service that lists the queue"),
	P_INT("socketmap_max_query_size", "10000", 1, 0, KNOWN, "Longest query to a socketmap"),
	P_INT("socketmap_max_reply_size", "100000", 1, 0, KNOWN, "Longest reply of a socketmap"),
	P_BOOL("strict_mime_encoding_domain", "no", KNOWN,
		"Refuse encodings that MIME does not allow for multipart and message"),
	P_ENUM("syslog_facility", "mail",
		"auth|authpriv|cron|daemon|kern|local0|local1|local2|local3|local4|local5|local6|local7|lpr|mail|news|"
		"syslog|user|uucp",
		ACTS, "Facility of syslog"),
	P_STRING("syslog_name", "${multi_instance_name?{$multi_instance_name}:{postfix}}", ACTS,
		"Name in front of the program in log lines"),
	P_INT("tcp_windowsize", "0", 0, 0, KNOWN, "TCP window; 0 leaves it to the system"),
	P_STRING("trace_service_name", "trace", KNOWN, "Service that keeps records for delivery reports"),
};

const struct param_group params_system = { rows, sizeof(rows) / sizeof(rows[0]) };
