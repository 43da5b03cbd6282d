{{/* Of a dict (suffix cluster messageTimeout namespace): the ext_proc filter, the same as in deploy/envoy/default.yaml but for these. */}}
{{- define "purser.extProc" -}}
name: envoy.filters.http.ext_proc{{ .suffix }}
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
  stat_prefix: purser
  failure_mode_allow: false
  status_on_error: { code: ServiceUnavailable }
  message_timeout: {{ .messageTimeout }}
  route_cache_action: RETAIN
  grpc_service:
    envoy_grpc: { cluster_name: {{ .cluster | quote }} }
    {{- with .namespace }}
    # Whose policies bind.
    initial_metadata:
    - { key: x-purser-namespace, value: {{ . }} }
    {{- end }}
    retry_policy:
      retry_on: connect-failure,refused-stream,reset,unavailable
      num_retries: 2
      retry_back_off: { base_interval: 0.025s, max_interval: 0.25s }
      retry_host_predicate:
      - name: envoy.retry_host_predicates.previous_hosts
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
      host_selection_retry_max_attempts: 30
  processing_mode:
    request_header_mode: SEND
    request_body_mode: BUFFERED
    response_header_mode: SEND
    response_body_mode: STREAMED
    request_trailer_mode: SKIP
    response_trailer_mode: SKIP
  request_attributes: [request.id, xds.route_name, source.address, connection.uri_san_peer_certificate]
  response_attributes: [response.code_details, response.flags, upstream.request_attempt_count]
  metadata_options:
    forwarding_namespaces: { untyped: [envoy.filters.http.jwt_authn] }
    receiving_namespaces: { untyped: [purser] }
{{- end }}

{{/* Of a dict (suffix), the last door: a request that Purser has not let through goes no further. */}}
{{- define "purser.lastDoor" -}}
name: envoy.filters.http.rbac{{ .suffix }}
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
  rules:
    action: ALLOW
    policies:
      judged-by-purser:
        permissions: [{ any: true }]
        principals:
        - sourced_metadata:
            metadata_matcher:
              filter: purser
              path: [{ key: verdict }]
              value:
                or_match:
                  value_matchers:
                  - { string_match: { exact: admitted } }
                  - { string_match: { exact: unmetered } }
{{- end }}
