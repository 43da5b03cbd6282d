{{/* The ledger as both commands take it: flags and environment. */}}
{{- define "purser.ledgerArgs" -}}
- --ledger-name={{ .Values.redis.ledgerName }}
{{- with .Values.redis.tls }}
{{- if and .clientCertificate (not .secret) }}
{{- fail "redis.tls.clientCertificate is taken from redis.tls.secret, which is not set" }}
{{- end }}
{{- if .secret }}
{{- if and $.Values.redis.url (not (hasPrefix "rediss" $.Values.redis.url)) }}
{{- fail "redis.tls.secret is for an address that begins with rediss" }}
{{- end }}
- --ledger-tls-ca=/etc/purser/redis-tls/ca.crt
{{- if .clientCertificate }}
- --ledger-tls-cert=/etc/purser/redis-tls/tls.crt
- --ledger-tls-key=/etc/purser/redis-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "purser.ledgerEnv" -}}
{{- with .Values.redis -}}
{{- $ways := list .url .urlSecret.name (ternary "dev" "" .dev.enabled) | compact -}}
{{- if ne (len $ways) 1 }}
{{- fail "exactly one of redis.url, redis.urlSecret.name and redis.dev.enabled says where the ledger is: for instance --set redis.url=redis://redis.example:6379" }}
{{- end }}
{{- if and .passwordSecret.name (not .url) }}
{{- fail "redis.passwordSecret goes with redis.url; the address in redis.urlSecret has its own password" }}
{{- end -}}
- name: PURSER_LEDGER
{{- if .urlSecret.name }}
  valueFrom: { secretKeyRef: { name: {{ .urlSecret.name | quote }}, key: {{ .urlSecret.key | quote }} } }
{{- else if .dev.enabled }}
  value: redis://{{ include "purser.fullname" $ }}-dev-redis.{{ $.Release.Namespace }}.svc:6379
{{- else }}
  value: {{ .url | quote }}
{{- end }}
{{- if .passwordSecret.name }}
- name: PURSER_LEDGER_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ .passwordSecret.name | quote }}, key: {{ .passwordSecret.key | quote }} } }
{{- end }}
{{- end }}
{{- end }}
