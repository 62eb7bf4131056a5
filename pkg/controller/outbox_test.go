package controller

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

// chat is a channel that keeps what it was told, and takes nothing while it is down.
type chat struct {
	mu       sync.Mutex
	down     error
	messages []alert.Message
	attempts []time.Time
}

func (c *chat) Send(_ context.Context, m alert.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, time.Now())
	if c.down != nil {
		return c.down
	}
	c.messages = append(c.messages, m)
	return nil
}

func (c *chat) set(down error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// heard are the texts of all that was told, whether one by one or in a digest.
func (c *chat) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, m := range c.messages {
		for _, one := range m.Digest {
			all = append(all, one.Text)
		}
		if len(m.Digest) == 0 {
			all = append(all, m.Text)
		}
	}
	return all
}

// posting is an outbox in a bubble where time is free, and the statuses of the Canaries whose alerts it tells.
type posting struct {
	*outbox
	t        *testing.T
	stop     func()
	mu       sync.Mutex
	statuses map[types.NamespacedName]*v1beta1.Canary
	complete []string
}

func posts(t *testing.T, test func(*posting, *chat)) {
	synctest.Test(t, func(t *testing.T) {
		slack := &chat{}
		p := &posting{t: t, statuses: map[types.NamespacedName]*v1beta1.Canary{}}
		p.begin(Receiver{Name: "slack", Kind: "slack", Channel: slack})
		test(p, slack)
		p.stop()
	})
}

// begin is the start of an operator.
func (p *posting) begin(own ...Receiver) {
	ctx, cancel := context.WithCancel(context.Background())
	options := Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), ClusterName: "eu-1", Receivers: own}
	p.outbox = newOutbox(Clients{}, options, NewMetrics(prometheus.NewRegistry()), p.commit)
	p.complain = func(_ context.Context, c *v1beta1.Canary, n rollout.Notice) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.complete = append(p.complete, c.Name+": "+n.Message)
	}
	p.start(ctx)
	p.stop = func() { cancel(); p.wait() }
}

func (p *posting) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.complete)
}

// post has a Canary's status hold one more alert.
func (p *posting) post(name, id, text string, to ...string) {
	if len(to) == 0 {
		to = []string{"slack"}
	}
	key := types.NamespacedName{Namespace: "shop", Name: name}
	p.mu.Lock()
	c := p.statuses[key]
	if c == nil {
		c = &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		c.Spec.TargetRef.Name = name
		p.statuses[key] = c
	}
	c.Status.Alerts = append(c.Status.Alerts, v1beta1.AlertStatus{
		ID: id, Reason: "RolledBack", Severity: v1beta1.SeverityError, Message: text, At: metav1.NewMicroTime(time.Now()), To: to,
	})
	p.mu.Unlock()
	p.look(key)
}

// alerts are those of a status.
func (p *posting) alerts(name string) []v1beta1.AlertStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statuses[types.NamespacedName{Namespace: "shop", Name: name}].DeepCopy().Status.Alerts
}

// look offers what a status holds.
func (p *posting) look(key types.NamespacedName) {
	p.mu.Lock()
	c := p.statuses[key].DeepCopy()
	p.mu.Unlock()
	p.offer(c, c.Status.Alerts)
}

// commit takes out of a status what was told, as a look does.
func (p *posting) commit(key types.NamespacedName) {
	p.mu.Lock()
	c := p.statuses[key]
	if c != nil {
		d := rollout.Decide(&rollout.Snapshot{Now: time.Now(), Canary: c, Delivered: p.delivered(key)})
		c.Status.Alerts = d.Status.Alerts
	}
	p.mu.Unlock()
	if c != nil {
		p.look(key)
	}
}

func TestAlertsSurviveAnHourWithoutSlack(t *testing.T) {
	posts(t, func(p *posting, slack *chat) {
		slack.set(alert.Transportf("refused"))
		var want []string
		for i := range 12 {
			p.post(fmt.Sprintf("app-%d", i%3), fmt.Sprintf("run-%d/ended", i), fmt.Sprint("alert ", i))
			want = append(want, fmt.Sprint("alert ", i))
			time.Sleep(5 * time.Minute)
		}
		assert.Empty(t, slack.heard())
		assert.Less(t, len(slack.attempts), 30, "it is not besieged")
		assert.Equal(t, []string{"app-0: slack does not take alerts, and is tried again: refused"}, p.complaints(), "once")

		// The operator dies, and another takes over from the statuses.
		p.stop()
		p.begin(Receiver{Name: "slack", Kind: "slack", Channel: slack})
		for key := range p.statuses {
			p.look(key)
		}
		slack.set(nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Equal(t, want, slack.heard(), "each once, in order")
		for _, c := range p.statuses {
			assert.Empty(t, c.Status.Alerts)
		}
		assert.Empty(t, p.posted, "nothing is kept of what is over")
	})
}

func TestAStormBecomesADigest(t *testing.T) {
	posts(t, func(p *posting, slack *chat) {
		const apps = 200
		for i := range apps {
			p.post(fmt.Sprintf("app-%03d", i), "run/ended", fmt.Sprintf("alert %03d", i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		heard := slack.heard()
		assert.Len(t, slices.Compact(slices.Sorted(slices.Values(heard))), apps, "none is lost")
		assert.Len(t, heard, apps, "none is told twice")
		assert.LessOrEqual(t, len(slack.messages), apps/digestOf+fewAlerts+1)
		for i, at := range slack.attempts[1:] {
			assert.GreaterOrEqual(t, at.Sub(slack.attempts[i]), betweenAlerts, "chats take one a second")
		}
		m := slack.messages[1]
		assert.Equal(t, "Digest", m.Reason)
		assert.Equal(t, v1beta1.SeverityError, m.Severity)
		assert.Regexp(t, "^[0-9]+ alerts since ", m.Text)
	})
}

func TestPagersGetNoDigest(t *testing.T) {
	posts(t, func(p *posting, _ *chat) {
		p.stop()
		pager := &chat{}
		p.begin(Receiver{Name: "pager", Kind: "pagerduty", Channel: pager})
		for i := range 10 {
			p.post(fmt.Sprintf("app-%d", i), "run/ended", "failed", "pager")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, pager.messages, 10)
		assert.Equal(t, "eu-1/shop/app-0", pager.messages[0].Thread, "the release that mends it is of another run")
	})
}

// TestOneReceiverHoldsUpNoOther has one that takes nothing beside one that does.
func TestOneReceiverHoldsUpNoOther(t *testing.T) {
	posts(t, func(p *posting, slack *chat) {
		p.stop()
		broken := &chat{down: alert.Rejectedf("the channel is archived")}
		p.begin(Receiver{Name: "slack", Kind: "slack", Channel: slack}, Receiver{Name: "rocket", Kind: "rocket", Channel: broken})
		p.post("app", "run/started", "started", "slack", "rocket")
		p.post("app", "run/ended", "ended", "slack", "rocket")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"started", "ended"}, slack.heard())
		require.Len(t, p.alerts("app"), 2)
		assert.Equal(t, []string{"rocket"}, p.alerts("app")[0].To)

		// A day later nobody wants to hear it any more, and people are told so.
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		assert.Empty(t, p.alerts("app"))
		assert.Contains(t, p.complaints(), "app: the alert RolledBack could not be told to rocket for 24h0m0s, and is given up: ended")
	})
}

func TestAServerIsLeftAloneForAsLongAsItSays(t *testing.T) {
	posts(t, func(p *posting, slack *chat) {
		slack.set(&alert.Error{Kind: alert.Transport, Message: "busy", RetryAfter: time.Minute})
		p.post("app", "run/ended", "ended")
		time.Sleep(time.Second)
		p.post("app", "run/failed", "failed") // another alert does not make it any less busy
		time.Sleep(58 * time.Second)
		synctest.Wait()
		assert.Len(t, slack.attempts, 1)
		slack.set(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, []string{"ended", "failed"}, slack.heard())
	})
}

// TestADeletedCanarysAlertsAreTold all the same.
func TestADeletedCanarysAlertsAreTold(t *testing.T) {
	posts(t, func(p *posting, slack *chat) {
		slack.set(alert.Transportf("refused"))
		key := types.NamespacedName{Namespace: "shop", Name: "app"}
		p.post("app", "run/ended", "aborted")
		synctest.Wait()
		p.mu.Lock()
		delete(p.statuses, key)
		p.mu.Unlock()
		p.forget(key)
		slack.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"aborted"}, slack.heard())
		assert.Empty(t, p.posted)
	})
}

func TestAMessageSaysWhatItIsAbout(t *testing.T) {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", Annotations: map[string]string{
		v1beta1.AnnotationRunbook: "https://wiki/app", v1beta1.AnnotationDashboard: "javascript:alert(1)",
	}}}
	c.Spec.TargetRef.Name = "app"
	m := messageOf(letter{canary: c, alert: v1beta1.AlertStatus{
		ID: "r/ended", Reason: "Promoted", Severity: v1beta1.SeverityInfo, Message: "done", Revision: "abc", Images: []string{"app:2"},
		MaxWeight: 100, Step: "2/2", Dropped: 3, Check: &v1beta1.AlertCheck{Name: "rate", Value: "97", Baseline: "99"},
	}}, "eu-1")
	assert.Equal(t, alert.Message{
		ID: "shop/app/r/ended", Thread: "eu-1/shop/app", Severity: v1beta1.SeverityInfo, Reason: "Promoted",
		Text: "done (3 older alerts of this Canary were dropped)", Cluster: "eu-1", Namespace: "shop", Name: "app",
		Target: "Deployment/app", Revision: "abc", Images: []string{"app:2"}, MaxWeight: 100, Step: "2/2", Resolved: true,
		Check: &alert.Check{Name: "rate", Value: "97", Baseline: "99"},
		Links: []alert.Link{{Title: "Runbook", URL: "https://wiki/app"}},
	}, m)
}

func TestReceiversOf(t *testing.T) {
	others := []Receiver{{Name: "--slack-url", Channel: &chat{}, Severity: v1beta1.SeverityWarn}, {Name: "all"}}
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	assert.Equal(t, []rollout.Receiver{
		{To: "--slack-url", Severity: v1beta1.SeverityWarn}, {To: "ClusterAlertProvider/all"},
	}, receiversOf(c, others))
	c.Spec.Analysis.Alerts = []v1beta1.CanaryAlert{
		{Name: "a", Severity: v1beta1.SeverityError, ProviderRef: v1beta1.AlertProviderRef{Name: "own"}, Mute: []string{"NoData"}},
		{Name: "b", ProviderRef: v1beta1.AlertProviderRef{Name: "theirs", Namespace: "team"}},
		{Name: "c", ProviderRef: v1beta1.AlertProviderRef{Name: "all", Kind: v1beta1.KindClusterAlertProvider}},
	}
	assert.Equal(t, []rollout.Receiver{
		{To: "AlertProvider/shop/own", Severity: v1beta1.SeverityError, Mute: []string{"NoData"}},
		{To: "AlertProvider/team/theirs"}, {To: "ClusterAlertProvider/all"},
	}, receiversOf(c, others))
}

// TestAReceiverOfAnEarlierStart: what was put down for one of the flags is refused in words when no flag names it any more.
func TestAReceiverOfAnEarlierStart(t *testing.T) {
	_, _, err := newReceivers(Clients{}, nil, nil).channel(t.Context(), "slack of the operator")
	require.ErrorIs(t, err, alert.Rejected)
	require.EqualError(t, err, "the operator is not told any more how to reach slack of the operator; start it again with the flag "+
		"that did, or let the Canary name an AlertProvider")
}
