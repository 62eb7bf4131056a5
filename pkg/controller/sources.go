package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/builtin"
	"weir.dev/weir/pkg/metrics/shared"
)

const (
	// freshSecret is how long a Secret is believed to be what it was while the server takes it. Whoever rotates
	// credentials can take the old ones away after so long, and nobody notices; who takes them away before is found out
	// by the query that is refused, which is put again with the new ones.
	freshSecret = 5 * time.Minute
	// idleClient is how long a client is kept that nobody uses: of a template that has changed or is gone.
	idleClient = 2 * freshSecret
)

// sources keeps the clients of providers, and their credentials fresh.
type sources struct {
	kube    kubernetes.Interface
	options Options
	desk    *shared.Desk
	making  singleflight.Group

	mu      sync.Mutex
	clients map[string]*client
}

// client is a provider with the credentials of one version of its Secret.
type client struct {
	shared.Source
	// secret is that version; empty where it needs none.
	secret string
	// read is when that was last so, and used when somebody asked.
	read, used time.Time
}

func newSources(kube kubernetes.Interface, options Options, meter shared.Meter) *sources {
	return &sources{
		kube: kube, options: options, clients: map[string]*client{},
		desk: shared.New(options.MetricWorkers, patience, options.Now, meter),
	}
}

// source is where the answers to a metric come from: a provider with the credentials that its Secret has by now.
type source struct {
	of   *sources
	spec v1beta1.MetricProvider
	// secrets is the namespace that its Secret is in, and version that of the template; empty where there is none.
	secrets, version string
}

var _ metrics.Provider = (*source)(nil)

// of is the source of a template.
func (s *sources) of(t *template) *source { return &source{s, t.Provider, t.secrets, t.version} }

// builtin is who is asked for the metrics that need no template.
func (s *sources) builtin(canary *v1beta1.Canary) *source {
	return &source{of: s, spec: builtin.Prometheus(canary), secrets: canary.Namespace}
}

func (s *source) id() string {
	secret := ""
	if s.spec.SecretRef != nil {
		secret = s.spec.SecretRef.Name
	}
	return strings.Join([]string{s.spec.Type, s.spec.Address, s.secrets, secret, s.version}, "|")
}

// server stands for all sources behind which there is the same server.
func (s *source) server() string {
	address := s.spec.Address
	if address == "" && s.spec.Type == "prometheus" {
		address = s.of.options.MetricsServer
	}
	return strings.Join([]string{s.spec.Type, address, s.spec.Region}, "|")
}

// Query asks for who has entered.
func (s *source) Query(ctx context.Context, q metrics.Query) (samples []metrics.Sample, err error) {
	err = s.with(ctx, func(c shared.Source) error {
		samples, err = s.of.desk.Ask(ctx, c, q)
		return err
	})
	return samples, err
}

// share asks for all who ask the same in this slot.
func (s *source) share(ctx context.Context, q metrics.Query, slot time.Duration) (answer shared.Answer, err error) {
	err = s.with(ctx, func(c shared.Source) error {
		answer, err = s.of.desk.Share(ctx, c, q, slot)
		return err
	})
	return answer, err
}

// with asks. What fails with credentials that are not what the Secret has any more is done again with those that it has.
func (s *source) with(ctx context.Context, ask func(shared.Source) error) error {
	c, err := s.of.client(ctx, s, false)
	if err != nil {
		return err
	}
	err = ask(c.Source)
	if err == nil || s.spec.SecretRef == nil || errors.Is(err, metrics.NoData) || ctx.Err() != nil {
		return err
	}
	fresh, unread := s.of.client(ctx, s, true)
	if unread != nil || fresh.secret == c.secret {
		return err
	}
	return ask(fresh.Source)
}

// client gives the client of a source. Its Secret is read where that was not done for long, and where it is to be reread.
func (s *sources) client(ctx context.Context, of *source, reread bool) (*client, error) {
	id, now := of.id(), s.options.Now()
	s.mu.Lock()
	known := s.clients[id]
	if known != nil {
		known.used = now
		if of.spec.SecretRef == nil || !reread && now.Sub(known.read) < freshSecret {
			s.mu.Unlock()
			return known, nil
		}
	}
	s.mu.Unlock()
	made, err, _ := s.making.Do(id, func() (any, error) {
		// Others wait for it, too, and do not end when this one does.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		return s.renew(ctx, of, known)
	})
	if err != nil {
		return nil, err
	}
	return made.(*client), nil
}

// renew makes a client, unless the one that is known is of the Secret as it is.
func (s *sources) renew(ctx context.Context, of *source, known *client) (*client, error) {
	next := &client{Source: shared.Source{Type: of.spec.Type, ID: of.id(), Server: of.server()}}
	next.read, next.used = s.options.Now(), s.options.Now()
	var data map[string][]byte
	if of.spec.SecretRef != nil {
		secret, err := s.kube.CoreV1().Secrets(of.secrets).Get(ctx, of.spec.SecretRef.Name, metav1.GetOptions{})
		gone := apierrors.IsNotFound(err) || apierrors.IsForbidden(err)
		if err != nil && known != nil && !gone {
			return known, nil // an API server that does not answer takes nothing away
		}
		if err != nil {
			return nil, fmt.Errorf("reading Secret %s/%s: %w", of.secrets, of.spec.SecretRef.Name, err)
		}
		data, next.secret = secret.Data, string(secret.UID)+"/"+secret.ResourceVersion
		next.ID += "|" + next.secret
	}
	if known != nil && known.secret == next.secret {
		next.Source = known.Source
		return s.keep(of.id(), next), nil
	}
	provider, err := builtin.New(of.spec, data, s.options.MetricsServer, s.options.Reach)
	if err != nil {
		return nil, err
	}
	next.Provider = provider
	return s.keep(of.id(), next), nil
}

// keep remembers a client, and forgets those that nobody has used for long.
func (s *sources) keep(id string, c *client) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, idle := range s.clients {
		if c.used.Sub(idle.used) > idleClient {
			delete(s.clients, other)
		}
	}
	s.clients[id] = c
	return c
}
