package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
)

const (
	// alertPatience is how long one message may take.
	alertPatience = 15 * time.Second
	// betweenAlerts is how long a receiver is left alone after a message: chats take about one a second.
	betweenAlerts = time.Second
	// fewAlerts are told one by one. Of more that wait, so many are told as one at a time.
	fewAlerts, digestOf = 5, 20
	// longestBackoff is between two attempts at a receiver that does not take anything.
	longestBackoff = 5 * time.Minute
	// staleAlert is how old an alert may become before nobody wants to hear it any more.
	staleAlert = 24 * time.Hour
	// alertWorkers are the receivers that are told at the same time.
	alertWorkers = 4
)

// letter is an alert on its way to one receiver.
type letter struct {
	canary *v1beta1.Canary
	alert  v1beta1.AlertStatus
	to     string
}

func (l letter) delivery() rollout.Delivery { return rollout.Delivery{ID: l.alert.ID, To: l.to} }

// tray is what waits for one receiver.
type tray struct {
	letters []letter
	// notBefore is when it may be told again; failures count its refusals in a row.
	notBefore time.Time
	failures  int
}

// outbox tells people what stands in the statuses of Canaries, by one tray a receiver, so that one that cannot be reached
// holds up no other, and no Canary. What was told it remembers until the status does not have it any more.
type outbox struct {
	receivers *receivers
	metrics   *Metrics
	options   Options
	wake      func(types.NamespacedName)
	// complain tells people on the Canary that an alert could not be told.
	complain func(ctx context.Context, canary *v1beta1.Canary, n rollout.Notice)
	queue    workqueue.TypedDelayingInterface[string]
	working  sync.WaitGroup

	mu    sync.Mutex
	trays map[string]*tray
	// posted are the deliveries of each Canary that are in a tray or told; true says told.
	posted map[types.NamespacedName]map[rollout.Delivery]bool
}

func newOutbox(clients Clients, options Options, m *Metrics, wake func(types.NamespacedName)) *outbox {
	return &outbox{
		receivers: newReceivers(clients, options.Receivers, options.Reach), metrics: m, options: options, wake: wake,
		queue: workqueue.NewTypedDelayingQueueWithConfig(
			workqueue.TypedDelayingQueueConfig[string]{Name: "alerts", MetricsProvider: m.queues}),
		trays: map[string]*tray{}, posted: map[types.NamespacedName]map[rollout.Delivery]bool{},
	}
}

func (b *outbox) start(ctx context.Context) {
	for range alertWorkers {
		b.working.Go(func() {
			for b.work(ctx) {
			}
		})
	}
	context.AfterFunc(ctx, b.queue.ShutDown)
}

func (b *outbox) wait() { b.working.Wait() }

// offer puts what a status holds into the trays, once, and forgets of what was told what it does not hold any more.
func (b *outbox) offer(canary *v1beta1.Canary, alerts []v1beta1.AlertStatus) {
	key := keyOf(canary)
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.posted[key]
	if len(alerts) == 0 && len(was) == 0 {
		return
	}
	is := map[rollout.Delivery]bool{}
	for _, a := range alerts {
		for _, to := range a.To {
			d := rollout.Delivery{ID: a.ID, To: to}
			told, known := was[d]
			is[d] = told
			if !known {
				b.append(letter{canary: canary, alert: a, to: to})
			}
		}
	}
	b.posted[key] = is
	if len(is) == 0 {
		delete(b.posted, key)
	}
}

// append puts a letter into its tray; the caller holds the lock.
func (b *outbox) append(l letter) {
	if b.trays[l.to] == nil {
		b.trays[l.to] = &tray{}
	}
	of := b.trays[l.to]
	of.letters = append(of.letters, l)
	slices.SortStableFunc(of.letters, func(x, y letter) int { return x.alert.At.Compare(y.alert.At.Time) })
	b.queue.Add(l.to)
}

// delivered are the alerts of a Canary that have been told.
func (b *outbox) delivered(key types.NamespacedName) []rollout.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	var told []rollout.Delivery
	for d, done := range b.posted[key] {
		if done {
			told = append(told, d)
		}
	}
	slices.SortFunc(told, func(x, y rollout.Delivery) int { return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(x.To, y.To)) })
	return told
}

// forget drops what is known of a Canary that is gone. Its letters are told all the same.
func (b *outbox) forget(key types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.posted, key)
}

func (b *outbox) work(ctx context.Context) bool {
	to, quit := b.queue.Get()
	if quit {
		return false
	}
	defer b.queue.Done(to)
	letters := b.next(to)
	if len(letters) == 0 || ctx.Err() != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, alertPatience)
	defer cancel()
	start := time.Now()
	kind, err := b.send(ctx, to, letters)
	b.metrics.alerted(kind, time.Since(start), err)
	if err != nil {
		b.failed(ctx, to, letters, err)
		return true
	}
	b.told(to, letters)
	return true
}

// next are the letters that are to be told now: the first, or many of them as one.
func (b *outbox) next(to string) []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.trays[to]
	if l == nil || len(l.letters) == 0 {
		return nil
	}
	if in := l.notBefore.Sub(b.options.Now()); in > 0 {
		b.queue.AddAfter(to, in)
		return nil
	}
	n := 1
	if len(l.letters) > fewAlerts && b.receivers.takesDigests(to) {
		n = min(len(l.letters), digestOf)
	}
	return slices.Clone(l.letters[:n])
}

// told takes letters out of their tray.
func (b *outbox) told(to string, letters []letter) {
	b.mu.Lock()
	l := b.trays[to]
	l.letters, l.failures, l.notBefore = remaining(l.letters, letters), 0, b.options.Now().Add(betweenAlerts)
	if len(l.letters) > 0 {
		b.queue.AddAfter(to, betweenAlerts)
	}
	b.mu.Unlock()
	b.done(letters)
}

// done remembers what was told, and lets the statuses be told so.
func (b *outbox) done(letters []letter) {
	for _, l := range letters {
		key := keyOf(l.canary)
		b.mu.Lock()
		if _, known := b.posted[key][l.delivery()]; known {
			b.posted[key][l.delivery()] = true
		}
		b.mu.Unlock()
		b.wake(key)
	}
}

func remaining(all, told []letter) []letter {
	return slices.DeleteFunc(all, func(l letter) bool {
		return slices.ContainsFunc(told, func(t letter) bool {
			return keyOf(t.canary) == keyOf(l.canary) && t.delivery() == l.delivery()
		})
	})
}

// failed puts the tray off. Letters that nobody wants to hear any more are given up.
func (b *outbox) failed(ctx context.Context, to string, letters []letter, err error) {
	now := b.options.Now()
	b.mu.Lock()
	l := b.trays[to]
	in := min(betweenAlerts<<min(l.failures, 16), longestBackoff) //nolint:mnd // far beyond the longest
	if told, ok := errors.AsType[*alert.Error](err); ok && told.RetryAfter > 0 {
		in = min(max(in, told.RetryAfter), longestBackoff)
	}
	l.failures++
	first := l.failures == 1
	l.notBefore = now.Add(in)
	var old []letter
	for _, one := range l.letters {
		if now.Sub(one.alert.At.Time) > staleAlert {
			old = append(old, one)
		}
	}
	l.letters = remaining(l.letters, old)
	b.queue.AddAfter(to, in)
	b.mu.Unlock()
	log := b.options.Log
	log.Log(ctx, slog.LevelWarn, "an alert could not be told", "receiver", to, "waiting", len(letters), "again", in, "error", err)
	if first {
		b.complain(ctx, letters[0].canary, rollout.Notice{
			ID: letters[0].alert.ID + "/nottold/" + to, Reason: rollout.ReasonAlertNotTold, Warning: true,
			Message: fmt.Sprintf("%s does not take alerts, and is tried again: %s", to, err),
		})
	}
	for _, one := range old {
		b.complain(ctx, one.canary, rollout.Notice{
			ID: one.alert.ID + "/givenup/" + to, Reason: rollout.ReasonAlertNotTold, Warning: true,
			Message: fmt.Sprintf("the alert %s could not be told to %s for %s, and is given up: %s",
				one.alert.Reason, to, staleAlert, one.alert.Message),
		})
	}
	b.done(old)
}

// send tells letters to a receiver, as one message.
func (b *outbox) send(ctx context.Context, to string, letters []letter) (kind string, err error) {
	kind, channel, err := b.receivers.channel(ctx, to)
	if err != nil {
		return kind, err
	}
	messages := make([]alert.Message, 0, len(letters))
	for _, l := range letters {
		messages = append(messages, messageOf(l, b.options.ClusterName))
	}
	if len(messages) == 1 {
		return kind, channel.Send(ctx, messages[0])
	}
	return kind, channel.Send(ctx, digest(messages))
}

// digest is one message for many.
func digest(messages []alert.Message) alert.Message {
	first, last := messages[0], messages[len(messages)-1]
	m := alert.Message{
		ID: fmt.Sprintf("%s+%d", last.ID, len(messages)), Severity: first.Severity, Reason: "Digest", At: last.At,
		Text: fmt.Sprintf("%d alerts since %s", len(messages), first.At.UTC().Format(time.TimeOnly+" MST")), Cluster: first.Cluster,
		Digest: messages,
	}
	for _, one := range messages {
		if one.Severity.Reaches(m.Severity) {
			m.Severity = one.Severity
		}
	}
	return m
}

// messageOf is an alert as people are told it. The thread is the Canary: the release that mends a failed one is of another
// run.
func messageOf(l letter, cluster string) alert.Message {
	a, c := l.alert, l.canary
	m := alert.Message{
		ID: c.Namespace + "/" + c.Name + "/" + a.ID, Thread: strings.Join([]string{cluster, c.Namespace, c.Name}, "/"),
		Severity: a.Severity, Reason: a.Reason, Text: a.Message, At: a.At.Time, Cluster: cluster,
		Namespace: c.Namespace, Name: c.Name, Target: rollout.KindOf(c) + "/" + c.Spec.TargetRef.Name, Phase: string(a.Phase),
		Revision: a.Revision, Images: a.Images, Weight: a.Weight, MaxWeight: a.MaxWeight, Step: a.Step,
		Resolved: a.Reason == string(v1beta1.OutcomePromoted) || a.Reason == rollout.ReasonStallEnded,
	}
	if a.Dropped > 0 {
		m.Text += fmt.Sprintf(" (%d older alerts of this Canary were dropped)", a.Dropped)
	}
	if a.Check != nil {
		m.Check = &alert.Check{Name: a.Check.Name, Value: a.Check.Value, Baseline: a.Check.Baseline, Message: a.Check.Message}
	}
	for _, link := range []alert.Link{
		{Title: "Runbook", URL: c.Annotations[v1beta1.AnnotationRunbook]},
		{Title: "Dashboard", URL: c.Annotations[v1beta1.AnnotationDashboard]},
	} {
		if strings.HasPrefix(link.URL, "https://") || strings.HasPrefix(link.URL, "http://") {
			m.Links = append(m.Links, link)
		}
	}
	return m
}
