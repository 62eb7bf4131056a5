package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/outbound"
	"weir.dev/weir/pkg/rollout"
)

// caller calls webhooks, of each server a bounded number at a time and one webhook of a Canary never twice at once, and keeps
// the latest answer of each for as long as the rollout asks for it.
type caller struct {
	kube    kubernetes.Interface
	client  *gate.Client
	metrics *Metrics
	now     func() time.Time
	// events is told all events of all Canaries, in this cluster; it may be nil.
	events  alert.Channel
	cluster string
	wake    func(types.NamespacedName)
	// rooms are by server and by kind of call: no call on which a run depends waits for one that hangs and on which none
	// does.
	rooms   *outbound.Rooms
	pending sync.WaitGroup

	mu    sync.Mutex
	ctx   context.Context //nolint:containedctx // the life of the pool, set once by start
	lines map[types.NamespacedName]map[string]*line
}

// line is one webhook of a Canary: the call that is made or answered.
type line struct {
	id    rollout.CallID
	busy  bool
	reply *rollout.Reply
}

func newCaller(kube kubernetes.Interface, options Options, m *Metrics, wake func(types.NamespacedName)) *caller {
	return &caller{
		kube: kube, client: gate.New(options.Reach), metrics: m, now: options.Now, wake: wake,
		events: options.EventWebhook, cluster: options.ClusterName,
		rooms: outbound.NewRooms(options.MetricWorkers),
		lines: map[types.NamespacedName]map[string]*line{},
	}
}

func (c *caller) start(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx = ctx
}

func (c *caller) wait() { c.pending.Wait() }

func (c *caller) forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.lines, key)
}

// replies gives the latest answers of the calls, and makes those that are due. It never waits.
func (c *caller) replies(key types.NamespacedName, canary *v1beta1.Canary, calls []rollout.Call) []rollout.Reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := c.lines[key]
	if lines == nil {
		if len(calls) == 0 {
			return nil
		}
		lines = map[string]*line{}
		c.lines[key] = lines
	}
	asked := map[string]bool{}
	var replies []rollout.Reply
	for _, call := range calls {
		name := call.ID.Type + "/" + call.ID.Webhook
		asked[name] = true
		l := lines[name]
		if l == nil {
			l = &line{id: call.ID}
			lines[name] = l
		}
		if l.id != call.ID && !l.busy { // one that is still busy with another call is waited for
			l.id, l.reply = call.ID, nil
		}
		if l.reply != nil && call.ID.Type == v1beta1.WebhookRollout && c.now().Sub(l.reply.At) > 2*patience {
			l.reply = nil // nothing could be committed since, and it says nothing of the canary as it is
		}
		if l.id == call.ID && l.reply != nil {
			replies = append(replies, *l.reply)
		}
		if c.due(l, call) {
			l.busy = true
			c.pending.Add(1)
			go c.call(c.ctx, key, canary, call, l)
		}
	}
	for name, l := range lines {
		if !asked[name] && !l.busy { // an answer to what is not asked any more counts for nothing later
			delete(lines, name)
		}
	}
	return replies
}

func (c *caller) due(l *line, call rollout.Call) bool {
	switch {
	case l.busy, c.ctx == nil, l.id != call.ID:
		return false
	case l.reply == nil:
		return true
	}
	return call.Every > 0 && !c.now().Before(l.reply.At.Add(call.Every))
}

func (c *caller) call(ctx context.Context, key types.NamespacedName, canary *v1beta1.Canary, call rollout.Call, l *line) {
	defer c.pending.Done()
	reply := rollout.Reply{ID: call.ID}
	leave, err := c.rooms.Enter(ctx, room(call.Webhook))
	if err != nil {
		return
	}
	answer, err := c.do(ctx, canary, call.Webhook, payloadOf(canary, call))
	leave()
	reply.Reached, reply.Agreed, reply.Message = err == nil, answer.Agreed, answer.Message
	if err != nil {
		reply.Message = err.Error()
	}
	reply.At = c.now()
	c.mu.Lock()
	l.busy = false
	if ctx.Err() == nil {
		l.reply = &reply
	}
	c.mu.Unlock()
	c.wake(key)
}

// room is where the calls of a webhook wait for each other.
func room(w v1beta1.CanaryWebhook) string {
	kind := ""
	if w.Type == v1beta1.WebhookRollback || w.Type == v1beta1.WebhookEvent {
		kind = w.Type
	}
	server := w.URL
	if u, err := url.Parse(w.URL); err == nil {
		server = u.Host
	}
	return kind + " " + server
}

// do makes a call, with the Secrets that the webhook names as they are now.
func (c *caller) do(ctx context.Context, canary *v1beta1.Canary, w v1beta1.CanaryWebhook, p gate.Payload) (gate.Answer, error) {
	call := gate.Call{Webhook: w, Payload: p}
	for _, s := range []struct {
		ref  *v1beta1.LocalSecretRef
		data *map[string][]byte
	}{{w.SecretRef, &call.Secret}, {w.TLSSecretRef, &call.TLSSecret}} {
		if s.ref == nil {
			continue
		}
		secret, err := c.kube.CoreV1().Secrets(canary.Namespace).Get(ctx, s.ref.Name, metav1.GetOptions{})
		if err != nil {
			return gate.Answer{}, fmt.Errorf("reading Secret %s/%s: %w", canary.Namespace, s.ref.Name, err)
		}
		*s.data = secret.Data
	}
	start := time.Now()
	answer, err := c.client.Do(ctx, call)
	c.metrics.called(time.Since(start), w.Type, answer.Agreed, err)
	return answer, err
}

func payloadOf(canary *v1beta1.Canary, call rollout.Call) gate.Payload {
	p := gate.Payload{
		Name: canary.Name, Namespace: canary.Namespace, Phase: string(call.Phase), Checksum: call.Revision,
		RunID: call.ID.Run, Weight: canary.Status.Weight,
		IdempotencyKey: canary.Namespace + "/" + canary.Name + "/" + call.ID.String(),
	}
	if s := canary.Status.Step; s != nil {
		step := s.Index
		p.Step = &step
	}
	return p
}

// tell sends a notice to the webhooks of type event. It does not wait; one that is not reached misses it, after
// its retries.
func (c *caller) tell(canary *v1beta1.Canary, st *v1beta1.CanaryStatus, n rollout.Notice) {
	c.mu.Lock()
	ctx := c.ctx
	c.mu.Unlock()
	if ctx == nil {
		return
	}
	kind := "Normal"
	if n.Warning {
		kind = "Warning"
	}
	now := c.now()
	if c.events != nil {
		c.pending.Go(func() { c.publish(ctx, eventOf(canary, st, n, c.cluster, now)) })
	}
	for _, w := range canary.Spec.Analysis.Webhooks {
		if w.Type != v1beta1.WebhookEvent {
			continue
		}
		p := gate.Payload{
			Name: canary.Name, Namespace: canary.Namespace, Phase: string(st.Phase), Weight: st.Weight,
			IdempotencyKey: canary.Namespace + "/" + canary.Name + "/" + w.Name + "/" + n.ID,
			Metadata: map[string]string{
				"eventMessage": n.Message, "eventType": kind, "eventReason": n.Reason,
				"timestamp": strconv.FormatInt(now.UnixMilli(), 10),
			},
		}
		if st.Canary != nil {
			p.Checksum = st.Canary.Hash
		}
		if st.Run != nil {
			p.RunID = st.Run.ID
		}
		c.pending.Go(func() {
			leave, err := c.rooms.Enter(ctx, room(w))
			if err != nil {
				return
			}
			defer leave()
			_, _ = c.do(ctx, canary, w, p) // counted in the metrics; there is nobody else to tell
		})
	}
}

// eventOf is a notice as the operator's event webhook is told it.
func eventOf(canary *v1beta1.Canary, st *v1beta1.CanaryStatus, n rollout.Notice, cluster string, now time.Time) alert.Message {
	severity := n.Severity
	if severity == "" && n.Warning {
		severity = v1beta1.SeverityWarn
	}
	m := alert.Message{
		ID: canary.Namespace + "/" + canary.Name + "/" + n.ID, Thread: cluster + "/" + canary.Namespace + "/" + canary.Name,
		Severity: cmp.Or(severity, v1beta1.SeverityInfo), Reason: n.Reason, Text: n.Message, At: now, Cluster: cluster,
		Namespace: canary.Namespace, Name: canary.Name, Target: rollout.KindOf(canary) + "/" + canary.Spec.TargetRef.Name,
		Phase: string(st.Phase), Weight: st.Weight,
	}
	if st.Canary != nil {
		m.Revision, m.Images = st.Canary.Hash, st.Canary.Images
	}
	if st.Run != nil {
		m.MaxWeight = st.Run.MaxWeight
	}
	return m
}

// publish tells the event webhook, and tries again twice. One that is not reached then misses the event.
func (c *caller) publish(ctx context.Context, m alert.Message) {
	leave, err := c.rooms.Enter(ctx, v1beta1.WebhookEvent)
	if err != nil {
		return
	}
	defer leave()
	const attempts = 3
	for i := range attempts {
		start := time.Now()
		err := c.events.Send(ctx, m)
		c.metrics.called(time.Since(start), v1beta1.WebhookEvent, err == nil, err)
		if err == nil || errors.Is(err, alert.Rejected) {
			return
		}
		select {
		case <-time.After(time.Second << i):
		case <-ctx.Done():
			return
		}
	}
}
