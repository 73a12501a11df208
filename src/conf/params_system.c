/* params_system.c - the table of parameters: processes, files, logging. */
#include "conf/params.h"

static const struct param rows[] = {
	P_LIST("alternate_config_directories", "", KNOWN, ""),
	P_TIME("anvil_rate_time_unit", "60s", 's', 1, 0, KNOWN, ""),
	P_TIME("anvil_status_update_time", "600s", 's', 1, 0, KNOWN, ""),
	P_TIME("application_event_drain_time", "100s", 's', 1, 0, KNOWN, ""),
	P_LIST("authorized_flush_users", "static:anyone", KNOWN, ""),
	P_LIST("authorized_mailq_users", "static:anyone", KNOWN, ""),
	P_LIST("authorized_submit_users", "static:anyone", KNOWN, ""),
	P_LIST("authorized_verp_clients", "", KNOWN, ""),
	P_OCTETS("berkeley_db_create_buffer_size", "16777216", 1, KNOWN, ""),
	P_OCTETS("berkeley_db_read_buffer_size", "131072", 1, KNOWN, ""),
	P_STRING("compatibility_level", "3.11", KNOWN, ""),
	P_STRING("config_directory", "", KNOWN, ""),
	P_STRING("cyrus_sasl_config_path", "", KNOWN, ""),
	P_STRING("daemon_directory", "", KNOWN, ""),
	P_BOOL("daemon_table_open_error_is_fatal", "no", KNOWN, ""),
	P_TIME("daemon_timeout", "18000s", 's', 1, 0, KNOWN, ""),
	P_STRING("data_directory", "/var/lib/gatepost", KNOWN, ""),
	P_INT("debug_peer_level", "2", 1, 0, KNOWN, ""),
	P_LIST("debug_peer_list", "", KNOWN, ""),
	P_STRING("debugger_command", "", KNOWN, ""),
	P_STRING("default_cache_db_type", "lmdb", KNOWN, ""),
	P_STRING("default_database_type", "hash", KNOWN, ""),
	P_INT("default_process_limit", "100", 1, 0, KNOWN, ""),
	P_BOOL("enable_long_queue_ids", "no", KNOWN, ""),
	P_STRING("error_service_name", "error", KNOWN, ""),
	P_INT("fault_injection_code", "0", 0, 0, KNOWN, ""),
	P_STRING("flush_service_name", "flush", KNOWN, ""),
	P_INT("fork_attempts", "5", 1, 0, KNOWN, ""),
	P_TIME("fork_delay", "1s", 's', 1, 0, KNOWN, ""),
	P_BOOL("helpful_warnings", "yes", KNOWN, ""),
	P_STRING("html_directory", "no", KNOWN, ""),
	P_LIST("import_environment", "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C", KNOWN, ""),
	P_ENUM("info_log_address_format", "external", "internal|external", KNOWN, ""),
	P_TIME("ipc_idle", "5s", 's', 1, 0, KNOWN, ""),
	P_TIME("ipc_timeout", "3600s", 's', 1, 0, KNOWN, ""),
	P_TIME("ipc_ttl", "1000s", 's', 1, 0, KNOWN, ""),
	P_LIST("known_tcp_ports", "lmtp=24, smtp=25, smtps=submissions=465, submission=587", KNOWN, ""),
	P_OCTETS("line_length_limit", "2048", 512, KNOWN, ""),
	P_OCTETS("lmdb_map_size", "16777216", 1, KNOWN, ""),
	P_STRING("mail_name", "Gatepost", KNOWN, ""),
	P_STRING("mail_owner", "gatepost", KNOWN, ""),
	P_STRING("mail_release_date", "", KNOWN, ""),
	P_STRING("mail_version", GATEPOST_VERSION, KNOWN, ""),
	P_STRING("maillog_file", "", KNOWN, ""),
	P_STRING("maillog_file_compressor", "gzip", KNOWN, ""),
	P_STRING("maillog_file_permissions", "0600", KNOWN, ""),
	P_LIST("maillog_file_prefixes", "/var, /dev/stdout", KNOWN, ""),
	P_STRING("maillog_file_rotate_suffix", "%Y%m%d-%H%M%S", KNOWN, ""),
	P_STRING("mailq_path", "$command_directory/mailq", KNOWN, ""),
	P_STRING("manpage_directory", "/usr/share/man", KNOWN, ""),
	P_STRING("master_service_disable", "", KNOWN, ""),
	P_TIME("max_idle", "100s", 's', 1, 0, KNOWN, ""),
	P_INT("max_use", "100", 1, 0, KNOWN, ""),
	P_STRING("meta_directory", "$config_directory", KNOWN, ""),
	P_LIST("multi_instance_directories", "", KNOWN, ""),
	P_BOOL("multi_instance_enable", "no", KNOWN, ""),
	P_STRING("multi_instance_group", "", KNOWN, ""),
	P_STRING("multi_instance_name", "", KNOWN, ""),
	P_STRING("multi_instance_wrapper", "", KNOWN, ""),
	P_STRING("newaliases_path", "$command_directory/newaliases", KNOWN, ""),
	P_STRING("non_bdb_custom_mapping", "", KNOWN, ""),
	P_LIST("non_bdb_migration_allow_root_prefixes", "/etc /usr/local/etc", KNOWN, ""),
	P_LIST("non_bdb_migration_allow_user_prefixes", "$data_directory /var/lib/mailman /var/lib/mailman3", KNOWN,
		""),
	P_STRING("non_bdb_migration_level", "disable", KNOWN, ""),
	P_BOOL("non_bdb_migration_log_redirect", "yes", KNOWN, ""),
	P_STRING("non_bdb_migration_service_name", "nbdb_reindex", KNOWN, ""),
	P_STRING("openssl_path", "openssl", KNOWN, ""),
	P_STRING("pickup_service_name", "pickup", KNOWN, ""),
	P_STRING("postlog_service_name", "postlog", KNOWN, ""),
	P_TIME("postlogd_watchdog_timeout", "10s", 's', 10, 0, KNOWN, ""),
	P_LIST("postmulti_control_commands", "reload flush", KNOWN, ""),
	P_LIST("postmulti_start_commands", "start", KNOWN, ""),
	P_LIST("postmulti_stop_commands", "stop abort drain quick-stop", KNOWN, ""),
	P_STRING("process_id", "", KNOWN, ""),
	P_STRING("process_id_directory", "pid", KNOWN, ""),
	P_STRING("process_name", "", KNOWN, ""),
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
		KNOWN, ""),
	P_LIST("proxy_write_maps",
		"$smtp_sasl_auth_cache_name $lmtp_sasl_auth_cache_name $address_verify_map $postscreen_cache_map",
		KNOWN, ""),
	P_STRING("proxymap_service_name", "proxymap", KNOWN, ""),
	P_STRING("proxywrite_service_name", "proxywrite", KNOWN, ""),
	P_STRING("readme_directory", "no", KNOWN, ""),
	P_BOOL("respectful_logging", "${{$compatibility_level} <level {3.6} ? {no} : {yes}}", KNOWN, ""),
	P_STRING("rewrite_service_name", "rewrite", KNOWN, ""),
	P_STRING("sample_directory", "$config_directory", KNOWN, ""),
	P_ENUM("sendmail_fix_line_endings", "always", "never|always|strict", KNOWN, ""),
	P_STRING("sendmail_path", "$command_directory/sendmail", KNOWN, ""),
	P_STRING("service_name", "", KNOWN, ""),
	P_TIME("service_throttle_time", "60s", 's', 1, 0, KNOWN, ""),
	P_STRING("setgid_group", "postdrop", KNOWN, ""),
	P_STRING("shlib_directory", "no", KNOWN, ""),
	P_BOOL("show_user_unknown_table_name", "yes", KNOWN, ""),
	P_STRING("showq_service_name", "showq", KNOWN, ""),
	P_INT("socketmap_max_query_size", "10000", 1, 0, KNOWN, ""),
	P_INT("socketmap_max_reply_size", "100000", 1, 0, KNOWN, ""),
	P_BOOL("strict_mime_encoding_domain", "no", KNOWN, ""),
	P_ENUM("syslog_facility", "mail",
		"auth|authpriv|cron|daemon|kern|local0|local1|local2|local3|local4|local5|local6|local7|lpr|mail|news|"
		"syslog|user|uucp",
		KNOWN, ""),
	P_STRING("syslog_name", "${multi_instance_name?{$multi_instance_name}:{postfix}}", KNOWN, ""),
	P_INT("tcp_windowsize", "0", 0, 0, KNOWN, ""),
	P_STRING("trace_service_name", "trace", KNOWN, ""),
};

const struct param_group params_system = { rows, sizeof(rows) / sizeof(rows[0]) };
