package player

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weir.dev/weir/pkg/workload"
)

// Knative stands in for Knative's controllers, which are not here. By what Knative documents and its source says, it
// makes a Revision of each change of a Service's template, says whether that is ready, sends traffic as spec.traffic
// says, and says in the Service's status what it sends where. A list that names a Revision which is not ready, or not
// there, changes nothing of what is sent. A Revision of an image broken:N is never ready.
type Knative struct {
	client dynamic.Interface
	done   chan struct{}

	mu sync.Mutex
	// made are the templates of a Service's Revisions, in their order.
	made map[types.UID][]string
	// sent is what was sent where in a namespace, by the number of the Revision, one for each change.
	sent map[string][]map[string]int64
	// said is what went wrong.
	said error
}

// object is one as JSON has it.
type object = map[string]any

// StartKnative plays in every namespace until the context ends. Knative's kinds must be served.
func StartKnative(ctx context.Context, client dynamic.Interface) *Knative {
	s := &Knative{
		client: client, done: make(chan struct{}),
		made: map[types.UID][]string{}, sent: map[string][]map[string]int64{},
	}
	go func() {
		defer close(s.done)
		for ctx.Err() == nil {
			if err := s.look(ctx); err != nil && ctx.Err() == nil {
				s.mu.Lock()
				s.said = err
				s.mu.Unlock()
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return s
}

// Wait returns when nothing is under way, with what went wrong last; the context that it was started with must have
// ended.
func (s *Knative) Wait() error {
	<-s.done
	return s.said
}

// look goes over all Services.
func (s *Knative) look(ctx context.Context) error {
	list, err := s.client.Resource(workload.KnativeServices()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Services: %w", err)
	}
	for i := range list.Items {
		if err := s.reconcile(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Knative) reconcile(ctx context.Context, svc *unstructured.Unstructured) error {
	if err := s.revise(ctx, svc); err != nil {
		return err
	}
	before := svc.DeepCopy().Object["status"]
	status := s.status(svc)
	if reflect.DeepEqual(before, any(status)) {
		return nil
	}
	svc.Object["status"] = status
	_, err := s.client.Resource(workload.KnativeServices()).Namespace(svc.GetNamespace()).
		UpdateStatus(ctx, svc, metav1.UpdateOptions{FieldManager: "knative"})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil // the next look sees what has come between
	}
	if err != nil {
		return fmt.Errorf("writing the status of Service %s: %w", svc.GetName(), err)
	}
	s.send(svc.GetNamespace(), status["traffic"].([]any))
	return nil
}

// revise makes a Revision of a template that is not the last one's.
func (s *Knative) revise(ctx context.Context, svc *unstructured.Unstructured) error {
	template, _, _ := unstructured.NestedMap(svc.Object, "spec", "template")
	raw, err := json.Marshal(template)
	if err != nil {
		return err
	}
	made := s.made[svc.GetUID()]
	if len(made) > 0 && made[len(made)-1] == string(raw) {
		return nil
	}
	made = append(made, string(raw))
	name := nameOf(svc, len(made))
	revision := &unstructured.Unstructured{Object: object{"spec": template["spec"]}}
	revision.SetAPIVersion("serving.knative.dev/v1")
	revision.SetKind("Revision")
	revision.SetName(name)
	revision.SetLabels(map[string]string{workload.KnativeServiceLabel: svc.GetName()})
	revisions := s.client.Resource(workload.KnativeRevisions()).Namespace(svc.GetNamespace())
	revision, err = revisions.Create(ctx, revision, metav1.CreateOptions{FieldManager: "knative"})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil // the namespace goes
	}
	if err != nil {
		return fmt.Errorf("making Revision %s: %w", name, err)
	}
	ready := object{"type": "Ready", "status": "True", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
	if isBroken(string(raw)) {
		ready["status"], ready["reason"], ready["message"] = "False", "ContainerMissing", "the image is not there"
	}
	revision.Object["status"] = object{"observedGeneration": revision.GetGeneration(), "conditions": []any{ready}}
	if _, err = revisions.UpdateStatus(ctx, revision, metav1.UpdateOptions{FieldManager: "knative"}); err != nil {
		return fmt.Errorf("writing the status of Revision %s: %w", name, err)
	}
	s.made[svc.GetUID()] = made
	return nil
}

func isBroken(template string) bool { return strings.Contains(template, `"broken:`) }

func nameOf(svc *unstructured.Unstructured, number int) string {
	return fmt.Sprintf("%s-%05d", svc.GetName(), number)
}

// status is what is to be said of a Service.
func (s *Knative) status(svc *unstructured.Unstructured) object {
	made := s.made[svc.GetUID()]
	latestReady := ""
	ready := map[string]bool{}
	for i, template := range made {
		ready[nameOf(svc, i+1)] = !isBroken(template)
		if !isBroken(template) {
			latestReady = nameOf(svc, i+1)
		}
	}
	traffic, _, _ := unstructured.NestedSlice(svc.Object, "status", "traffic")
	routes := object{"type": "RoutesReady", "status": "True"}
	if wanted, missing := resolve(svc, latestReady, ready); missing != "" {
		routes["status"], routes["reason"] = "False", "RevisionMissing"
		routes["message"] = fmt.Sprintf("Revision %q is not ready", missing)
	} else {
		traffic = wanted
	}
	all := object{"type": "Ready", "status": routes["status"]}
	if isBroken(made[len(made)-1]) {
		all["status"] = "False"
	}
	status := object{
		"observedGeneration": svc.GetGeneration(), "latestCreatedRevisionName": nameOf(svc, len(made)),
		"conditions": []any{routes, all}, "traffic": traffic,
	}
	if traffic == nil {
		status["traffic"] = []any{}
	}
	if latestReady != "" {
		status["latestReadyRevisionName"] = latestReady
	}
	return status
}

// resolve is spec.traffic with every entry by name, or a Revision that keeps all of it from being served.
func resolve(svc *unstructured.Unstructured, latestReady string, ready map[string]bool) (traffic []any, missing string) {
	entries, said, _ := unstructured.NestedSlice(svc.Object, "spec", "traffic")
	if !said {
		entries = []any{object{"latestRevision": true, "percent": int64(100)}}
	}
	for _, entry := range entries {
		e := maps.Clone(entry.(object))
		if e["latestRevision"] == true {
			e["revisionName"] = latestReady
		}
		if name, _ := e["revisionName"].(string); !ready[name] {
			return nil, name
		}
		traffic = append(traffic, e)
	}
	return traffic, ""
}

// send notes what is sent where.
func (s *Knative) send(namespace string, traffic []any) {
	shares := map[string]int64{}
	for _, entry := range traffic {
		e := entry.(object)
		if percent, _ := e["percent"].(int64); percent > 0 {
			name := e["revisionName"].(string)
			shares[name[len(name)-1:]] += percent
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.sent[namespace]
	if len(shares) > 0 && (len(before) == 0 || !maps.Equal(before[len(before)-1], shares)) {
		s.sent[namespace] = append(before, shares)
	}
}

// Went is what was sent where in a namespace so far.
func (s *Knative) Went(namespace string) []map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent[namespace])
}
