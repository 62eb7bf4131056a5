{{/* The name of what is in a namespace. It leaves room for "-dashboard" within the 63 characters of a Service. */}}
{{- define "weir.fullname" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) }}
{{- .Values.fullnameOverride | default $name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* What the names of what is in no namespace begin with. A namespace has no dot, so no other release has it. */}}
{{- define "weir.prefix" -}}
{{ .Release.Namespace }}.{{ include "weir.fullname" . }}
{{- end }}

{{- define "weir.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "weir.labels" -}}
{{ include "weir.selectorLabels" . }}
app.kubernetes.io/part-of: weir
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "weir.account" -}}
{{- $own := .Values.serviceAccount.create | ternary (include "weir.fullname" .) "default" }}
{{- .Values.serviceAccount.name | default $own }}
{{- end }}

{{- define "weir.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "weir.account" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}

{{/* Whether the API server pauses Deployments when their template changes. */}}
{{- define "weir.pauses" -}}
{{- $served := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- if and .Values.admission.enabled .Values.admission.pause $served }}true{{ end }}
{{- end }}
