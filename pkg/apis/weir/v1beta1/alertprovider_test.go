package v1beta1_test

import "slices"

const alertProviderBase = `
apiVersion: weir.dev/v1beta1
kind: AlertProvider
metadata: {name: own}
spec: {type: slack, address: 'https://chat.example.com/hook'}
`

const clusterAlertProviderBase = `
apiVersion: weir.dev/v1beta1
kind: ClusterAlertProvider
metadata: {name: all}
spec: {type: slack, address: 'https://chat.example.com/hook'}
`

// alertProviderRules are those of both kinds; secret is how one refers to a Secret.
func alertProviderRules(secret string) []rule {
	hooks := []string{"slack", "msteams", "discord", "rocket", "gchat", "webhook"}
	pagers := []string{"pagerduty", "opsgenie"}
	return []rule{
		{
			field: "spec.type",
			yes: slices.Concat(each("type: #", hooks...), each("type: #, secretRef: "+secret, pagers...),
				each("type: telegram, channel: '-1', secretRef: #", secret)),
			no:   each("type: #", "pigeon", `""`),
			says: oneOf,
		},
		{
			field: "spec",
			yes: append(each("type: #, address: 'https://a.example'", hooks...),
				each("type: #, address: null, secretRef: "+secret, hooks...)...),
			no: each("type: #, address: null", hooks...),
			says: "types slack, msteams, discord, rocket, gchat and webhook need spec.address, " +
				"or a spec.secretRef to a Secret with the key address",
		},
		{
			field: "spec",
			yes:   each("type: #, secretRef: "+secret, pagers...),
			no:    append(each("type: #", pagers...), each("type: telegram, channel: #", "'-1'")...),
			says:  "types pagerduty, opsgenie and telegram need a spec.secretRef to a Secret with the key token",
		},
		{
			field: "spec",
			yes:   each("type: telegram, secretRef: "+secret+", channel: #", "'-1001234'", "'@releases'"),
			no:    each("type: telegram, secretRef: #", secret),
			says:  "spec.channel is needed for type telegram: the id of the chat, or its @name",
		},
		{
			field: "spec",
			yes:   each("channel: releases, type: #", "slack", "msteams", "discord", "rocket", "gchat"),
			no:    each("channel: releases, secretRef: "+secret+", type: #", "pagerduty", "opsgenie", "webhook"),
			says:  "spec.channel is for chats; types pagerduty, opsgenie and webhook have none",
		},
		{
			field: "spec",
			yes:   each("username: weir, type: #", "slack", "msteams", "discord", "rocket", "gchat"),
			no:    each("username: weir, secretRef: "+secret+", channel: null, type: #", "pagerduty", "opsgenie", "webhook"),
			says:  "spec.username is for types slack, msteams, discord, rocket and gchat",
		},
		{
			field: "spec.channel",
			yes:   each("channel: #", "'#releases'", long(256)),
			no:    each("channel: #", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.username",
			yes:   each("username: #", "releases", long(80)),
			no:    each("username: #", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.address",
			yes:   each("address: #", "'https://hooks.slack.com/services/a/b/c'", "'http://10.0.0.1:8080'"),
			no:    each("address: #", "hooks.slack.com", "'ftp://hooks.slack.com'", "'https://:443'"),
			says:  "spec.address must be an http or https URL",
		},
		{
			field: "spec.proxy",
			yes:   each("proxy: #", "'http://proxy:3128'", "'https://proxy'", "'socks5://proxy:1080'"),
			no:    each("proxy: #", "'proxy:3128'", "'ftp://proxy'", "'http://:3128'"),
			says:  "spec.proxy must be an http, https or socks5 URL",
		},
		{
			field: "spec.template",
			yes:   each("template: #", "'{{ .Text }}'"),
			no:    each("template: #", `""`),
			says:  notEmpty,
		},
	}
}

// secretRules are those of a reference to a Secret in the provider's own namespace.
func secretRules() []rule {
	return []rule{{
		field: "spec.secretRef.name",
		yes:   each("secretRef: {name: #}", "slack"),
		no:    each("secretRef: {name: #}", `""`),
		says:  notEmpty,
	}}
}

// clusterSecretRules are those of a reference to a Secret anywhere.
func clusterSecretRules() []rule {
	return []rule{
		{
			field: "spec.secretRef.name",
			yes:   each("secretRef: {name: #, namespace: a}", "slack"),
			no:    each("secretRef: {name: #, namespace: a}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.secretRef.namespace",
			yes:   each("secretRef: {name: a, namespace: #}", "weir-system"),
			no:    each("secretRef: {name: a, namespace: #}", `""`),
			says:  notEmpty,
		},
		{
			field: "spec.secretRef.namespace",
			yes:   each("secretRef: {name: a, namespace: #}", "weir-system"),
			no:    each("secretRef: {name: #}", "a"),
			says:  "Required value",
		},
	}
}
