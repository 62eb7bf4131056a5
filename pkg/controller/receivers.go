package controller

import (
	"context"
	"fmt"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/outbound"
	"weir.dev/weir/pkg/rollout"
)

// Receiver is somebody who is told of Canaries that name nobody: by a channel of its own, or by a ClusterAlertProvider.
type Receiver struct {
	// Name of it, for people.
	Name string
	// Severity is the least that it is told.
	Severity v1beta1.AlertSeverity
	// Kind and Channel that it is told by. Without, Name is that of a ClusterAlertProvider.
	Kind    string
	Channel alert.Channel
}

func (r Receiver) to() string {
	if r.Channel == nil {
		return v1beta1.KindClusterAlertProvider + "/" + r.Name
	}
	return r.Name
}

// receiversOf are those whom a Canary's alerts are for: those that it names, or else those of the operator.
func receiversOf(canary *v1beta1.Canary, others []Receiver) []rollout.Receiver {
	all := make([]rollout.Receiver, 0, len(others))
	for _, a := range canary.Spec.Analysis.Alerts {
		to := v1beta1.KindClusterAlertProvider + "/" + a.ProviderRef.Name
		if a.ProviderRef.Kind != v1beta1.KindClusterAlertProvider {
			namespace := a.ProviderRef.Namespace
			if namespace == "" {
				namespace = canary.Namespace
			}
			to = strings.Join([]string{v1beta1.KindAlertProvider, namespace, a.ProviderRef.Name}, "/")
		}
		all = append(all, rollout.Receiver{To: to, Severity: a.Severity, Mute: a.Mute})
	}
	if len(all) > 0 {
		return all
	}
	for _, r := range others {
		all = append(all, rollout.Receiver{To: r.to(), Severity: r.Severity})
	}
	return all
}

// receivers finds the channels of those who are told. Providers and their Secrets are read each time: alerts are rare,
// and what was mended or rotated counts at once. A channel is kept as long as neither has changed.
type receivers struct {
	clients Clients
	reach   *outbound.Reach
	own     map[string]Receiver

	mu    sync.Mutex
	known map[string]knownChannel
}

type knownChannel struct {
	version, kind string
	channel       alert.Channel
}

func newReceivers(clients Clients, own []Receiver, reach *outbound.Reach) *receivers {
	r := &receivers{clients: clients, reach: reach, own: map[string]Receiver{}, known: map[string]knownChannel{}}
	for _, one := range own {
		if one.Channel != nil {
			r.own[one.to()] = one
		}
	}
	return r
}

// takesDigests says that many alerts may be told as one: what is read by machines, or wakes people, is not.
func (r *receivers) takesDigests(to string) bool {
	kind := r.own[to].Kind
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.known[to]; ok {
		kind = known.kind
	}
	switch kind {
	case "pagerduty", "opsgenie", "webhook":
		return false
	}
	return true
}

// channel is that of a receiver, with its type.
func (r *receivers) channel(ctx context.Context, to string) (kind string, channel alert.Channel, err error) {
	if own, ok := r.own[to]; ok {
		return own.Kind, own.Channel, nil
	}
	p, err := r.provider(ctx, to)
	if err != nil {
		return "unknown", nil, err
	}
	var secret map[string][]byte
	if p.secret.Name != "" {
		s, err := r.clients.Kube.CoreV1().Secrets(p.secret.Namespace).Get(ctx, p.secret.Name, metav1.GetOptions{})
		if err != nil {
			return p.spec.Type, nil, fmt.Errorf("reading Secret %s/%s: %w", p.secret.Namespace, p.secret.Name, err)
		}
		secret, p.version = s.Data, p.version+"/"+string(s.UID)+"/"+s.ResourceVersion
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known[to]; known.channel != nil && known.version == p.version {
		return known.kind, known.channel, nil
	}
	made, err := builtin.New(p.spec, secret, r.reach)
	if err != nil {
		return p.spec.Type, nil, err
	}
	r.known[to] = knownChannel{p.version, p.spec.Type, made}
	return p.spec.Type, made, nil
}

// providing is what an AlertProvider or a ClusterAlertProvider says.
type providing struct {
	spec    v1beta1.AlertChannel
	secret  v1beta1.NamespacedSecretRef
	version string
}

func (r *receivers) provider(ctx context.Context, to string) (providing, error) {
	kind, name, _ := strings.Cut(to, "/")
	if kind == v1beta1.KindClusterAlertProvider {
		found, err := r.clients.Weir.WeirV1beta1().ClusterAlertProviders().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return providing{}, fmt.Errorf("reading ClusterAlertProvider %s: %w", name, err)
		}
		p := providing{spec: found.Spec.AlertChannel, version: string(found.UID) + "/" + found.ResourceVersion}
		if found.Spec.SecretRef != nil {
			p.secret = *found.Spec.SecretRef
		}
		return p, nil
	}
	if kind != v1beta1.KindAlertProvider { // what told when this was put down told by a flag
		return providing{}, alert.Rejectedf("the operator is not told any more how to reach %s; start it again with the flag that "+
			"did, or let the Canary name an AlertProvider", to)
	}
	namespace, name, _ := strings.Cut(name, "/")
	found, err := r.clients.Weir.WeirV1beta1().AlertProviders(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return providing{}, fmt.Errorf("reading AlertProvider %s/%s: %w", namespace, name, err)
	}
	p := providing{spec: found.Spec.AlertChannel, version: string(found.UID) + "/" + found.ResourceVersion}
	if found.Spec.SecretRef != nil {
		p.secret = v1beta1.NamespacedSecretRef{Name: found.Spec.SecretRef.Name, Namespace: namespace}
	}
	return p, nil
}
