package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/controller"
)

// telling is who is told of all Canaries.
type telling struct {
	clusterName                                   string
	slackURL, slackToken, slackChannel, slackUser string
	slackProxyURL, msteamsURL, msteamsProxyURL    string
	alertProvider, alertSeverity                  string
	eventWebhook, eventWebhookFormat              string
}

func (t *telling) addFlags(f *pflag.FlagSet) {
	f.StringVar(&t.clusterName, "cluster-name", "", "what people call the cluster, in alerts and events")
	f.StringVar(&t.slackURL, "slack-url", "", "incoming webhook of Slack for Canaries without alerts of their own; a secret, "+
		"better given as WEIR_SLACK_URL")
	f.StringVar(&t.slackToken, "slack-token", "", "token of a bot of Slack, instead of --slack-url; a secret, better given as "+
		"WEIR_SLACK_TOKEN")
	f.StringVar(&t.slackChannel, "slack-channel", "", "channel of Slack, needed with --slack-token")
	f.StringVar(&t.slackUser, "slack-user", "weir", "name that is shown in Slack")
	f.StringVar(&t.slackProxyURL, "slack-proxy-url", "", "proxy that Slack is reached through")
	f.StringVar(&t.msteamsURL, "msteams-url", "", "workflow of Microsoft Teams for Canaries without alerts of their own; a secret, "+
		"better given as WEIR_MSTEAMS_URL")
	f.StringVar(&t.msteamsProxyURL, "msteams-proxy-url", "", "proxy that Teams is reached through")
	f.StringVar(&t.alertProvider, "alert-provider", "", "ClusterAlertProvider for Canaries without alerts of their own")
	f.StringVar(&t.alertSeverity, "alert-severity", "info", "the least that these are told: info, warn or error")
	f.StringVar(&t.eventWebhook, "event-webhook", "", "URL that is sent every event of every Canary")
	f.StringVar(&t.eventWebhookFormat, "event-webhook-format", "flagger", "flagger, for what Flagger sends, or cloudevents")
}

// receivers are those of the flags.
func (t *telling) receivers() ([]controller.Receiver, error) {
	severity := v1beta1.AlertSeverity(t.alertSeverity)
	switch severity {
	case v1beta1.SeverityInfo, v1beta1.SeverityWarn, v1beta1.SeverityError:
	default:
		return nil, fmt.Errorf("--alert-severity %q is none of info, warn, error", t.alertSeverity)
	}
	var all []controller.Receiver
	add := func(name string, spec v1beta1.AlertChannel, secret map[string][]byte) error {
		channel, err := builtin.New(spec, secret, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, controller.Receiver{Name: name, Severity: severity, Kind: spec.Type, Channel: channel})
		return nil
	}
	if t.slackURL != "" || t.slackToken != "" {
		secret := map[string][]byte{}
		if t.slackToken != "" {
			secret["token"] = []byte(t.slackToken)
		}
		err := add("slack of the operator", v1beta1.AlertChannel{
			Type: "slack", Address: t.slackURL, Channel: t.slackChannel, Username: t.slackUser, Proxy: t.slackProxyURL,
		}, secret)
		if err != nil {
			return nil, err
		}
	}
	if t.msteamsURL != "" {
		err := add("msteams of the operator", v1beta1.AlertChannel{
			Type: "msteams", Address: t.msteamsURL, Proxy: t.msteamsProxyURL,
		}, nil)
		if err != nil {
			return nil, err
		}
	}
	if t.alertProvider != "" {
		all = append(all, controller.Receiver{Name: t.alertProvider, Severity: severity})
	}
	return all, nil
}

// events is the channel of --event-webhook; nil without.
func (t *telling) events() (alert.Channel, error) {
	switch {
	case t.eventWebhook == "":
		return nil, nil //nolint:nilnil // nobody is told
	case t.eventWebhookFormat != "flagger" && t.eventWebhookFormat != "cloudevents":
		return nil, fmt.Errorf("--event-webhook-format %q is neither flagger nor cloudevents", t.eventWebhookFormat)
	}
	channel, err := builtin.EventWebhook(t.eventWebhook, t.eventWebhookFormat == "cloudevents")
	if err != nil {
		return nil, fmt.Errorf("--event-webhook: %w", err)
	}
	return channel, nil
}
