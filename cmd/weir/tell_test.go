package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhoIsTold(t *testing.T) {
	told := telling{
		slackURL: "https://hooks.slack.com/services/T/B/X", slackUser: "weir", msteamsURL: "https://teams.test/workflows/1",
		alertProvider: "all", alertSeverity: "warn",
	}
	all, err := told.receivers()
	require.NoError(t, err)
	var names []string
	for _, r := range all {
		names = append(names, r.Name+" "+string(r.Severity))
	}
	assert.Equal(t, []string{"slack of the operator warn", "msteams of the operator warn", "all warn"}, names)

	nobody := telling{alertSeverity: "info"}
	all, err = nobody.receivers()
	require.NoError(t, err)
	assert.Empty(t, all)
	events, err := nobody.events()
	require.NoError(t, err)
	assert.Nil(t, events)
}

func TestWhoCannotBeTold(t *testing.T) {
	for name, told := range map[string]telling{
		`--alert-severity "loud" is none of info, warn, error`: {alertSeverity: "loud"},
	} {
		_, err := told.receivers()
		require.EqualError(t, err, name)
	}
	_, err := (&telling{alertSeverity: "info", slackToken: "xoxb-secret"}).receivers()
	require.Error(t, err, "a bot needs a channel")
	assert.NotContains(t, err.Error(), "xoxb-secret")
	_, err = (&telling{alertSeverity: "info", slackURL: "ftp://hidden"}).receivers()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hidden")
	_, err = (&telling{eventWebhook: "http://events", eventWebhookFormat: "xml"}).events()
	require.EqualError(t, err, `--event-webhook-format "xml" is neither flagger nor cloudevents`)
	for _, format := range []string{"flagger", "cloudevents"} {
		channel, err := (&telling{eventWebhook: "http://events", eventWebhookFormat: format}).events()
		require.NoError(t, err)
		assert.NotNil(t, channel)
	}
}
