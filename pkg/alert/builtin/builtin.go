// Package builtin is the list of channels that Weir brings along.
package builtin

import (
	"cmp"
	"strings"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/discord"
	"weir.dev/weir/pkg/alert/eventwebhook"
	"weir.dev/weir/pkg/alert/gchat"
	"weir.dev/weir/pkg/alert/msteams"
	"weir.dev/weir/pkg/alert/opsgenie"
	"weir.dev/weir/pkg/alert/pagerduty"
	"weir.dev/weir/pkg/alert/rocket"
	"weir.dev/weir/pkg/alert/slack"
	"weir.dev/weir/pkg/alert/telegram"
	"weir.dev/weir/pkg/alert/webhook"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/outbound"
)

// The keys of a Secret.
const (
	addressKey = "address"
	tokenKey   = "token"
	hmacKey    = "hmacKey"
)

// username is who tells, where a provider does not say.
const username = "weir"

// New makes the channel of an AlertProvider or a ClusterAlertProvider, with the data of its Secret, nil where it names
// none. It calls nobody yet. It keeps connections, so it is best made once for a provider and its Secret as they are. An
// error is of the kind Rejected. What is out of reach is not called.
func New(spec v1beta1.AlertChannel, secret map[string][]byte, reach *outbound.Reach) (alert.Channel, error) {
	kind, ok := kinds()[spec.Type]
	if !ok {
		return nil, alert.Rejectedf("there is no alert provider of type %q", spec.Type)
	}
	p := provider{spec, secret, reach}
	if err := kind.missing(p); err != nil {
		return nil, err
	}
	channel, err := kind.make(p)
	if err != nil {
		return nil, err
	}
	return alert.Templated(channel, spec.Template)
}

// Check says what is wrong with a provider, as far as that can be told without its Secret. Its error is of the kind
// Rejected.
func Check(spec v1beta1.AlertChannel, hasSecret bool) error {
	var secret map[string][]byte
	if hasSecret {
		secret = map[string][]byte{addressKey: []byte("https://unknown")}
		if kinds()[spec.Type].token {
			secret[tokenKey] = []byte("unknown")
		}
	}
	_, err := New(spec, secret, nil)
	return err
}

// EventWebhook is the channel of the operator's --event-webhook: it sends what Flagger sends, or else CloudEvents. An
// error is of the kind Rejected.
func EventWebhook(address string, cloudEvents bool) (alert.Channel, error) {
	site := alert.Site{Address: address}
	if cloudEvents {
		return made(webhook.New(webhook.Config{Site: site}))
	}
	return made(eventwebhook.New(site))
}

// kind is one type of channel.
type kind struct {
	// address and token say that it cannot do without.
	address, token bool
	make           func(provider) (alert.Channel, error)
}

// kinds is the list.
func kinds() map[string]kind {
	return map[string]kind{
		"slack":     {false, false, newSlack},
		"msteams":   {true, false, func(p provider) (alert.Channel, error) { return made(msteams.New(p.site())) }},
		"discord":   {true, false, newDiscord},
		"rocket":    {true, false, newRocket},
		"gchat":     {true, false, func(p provider) (alert.Channel, error) { return made(gchat.New(p.site())) }},
		"pagerduty": {false, true, newPagerDuty},
		"opsgenie":  {false, true, newOpsgenie},
		"telegram":  {false, true, newTelegram},
		"webhook":   {true, false, newWebhook},
	}
}

// provider is what is known of the provider that wants a channel.
type provider struct {
	spec   v1beta1.AlertChannel
	secret map[string][]byte
	reach  *outbound.Reach
}

func (p provider) site() alert.Site {
	return alert.Site{
		Address: cmp.Or(p.key(addressKey), p.spec.Address), Proxy: p.spec.Proxy, InsecureSkipVerify: p.spec.InsecureSkipVerify,
		Reach: p.reach,
	}
}

// key is a value of the Secret. A file that a Secret is made from often ends in a newline that is no part of what
// it holds.
func (p provider) key(name string) string { return strings.TrimRight(string(p.secret[name]), "\r\n") }

// missing says what a provider lacks.
func (k kind) missing(p provider) error {
	type lack struct {
		needed bool
		key    string
		or     string
	}
	noAddress := p.site().Address == ""
	slackless := p.spec.Type == "slack" && noAddress && p.key(tokenKey) == ""
	for _, l := range []lack{
		{k.token && p.key(tokenKey) == "", tokenKey, ""},
		{k.address && noAddress || slackless, addressKey, ", or set spec.address"},
	} {
		switch {
		case l.needed && p.secret == nil:
			return alert.Rejectedf("type %s needs a Secret with the key %s; name it in spec.secretRef%s", p.spec.Type, l.key, l.or)
		case l.needed:
			return alert.Rejectedf("the Secret of spec.secretRef has no key %s, which type %s needs; add it%s", l.key, p.spec.Type, l.or)
		}
	}
	return nil
}

// made keeps a typed nil from coming out as an interface that is not nil.
func made[C alert.Channel](c C, err error) (alert.Channel, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func newSlack(p provider) (alert.Channel, error) {
	return made(slack.New(slack.Config{
		Site: p.site(), Token: p.key(tokenKey), Channel: p.spec.Channel, Username: cmp.Or(p.spec.Username, username),
	}))
}

func newDiscord(p provider) (alert.Channel, error) {
	return made(discord.New(discord.Config{Site: p.site(), Username: cmp.Or(p.spec.Username, username)}))
}

func newRocket(p provider) (alert.Channel, error) {
	return made(rocket.New(rocket.Config{
		Site: p.site(), Channel: p.spec.Channel, Username: cmp.Or(p.spec.Username, username),
	}))
}

func newPagerDuty(p provider) (alert.Channel, error) {
	return made(pagerduty.New(pagerduty.Config{Site: p.site(), Token: p.key(tokenKey)}))
}

func newOpsgenie(p provider) (alert.Channel, error) {
	return made(opsgenie.New(opsgenie.Config{Site: p.site(), Token: p.key(tokenKey)}))
}

func newTelegram(p provider) (alert.Channel, error) {
	return made(telegram.New(telegram.Config{Site: p.site(), Token: p.key(tokenKey), Chat: p.spec.Channel}))
}

func newWebhook(p provider) (alert.Channel, error) {
	return made(webhook.New(webhook.Config{Site: p.site(), Token: p.key(tokenKey), HMACKey: p.key(hmacKey)}))
}
