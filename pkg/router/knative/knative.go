// Package knative shifts traffic by the shares of a Knative Service (serving.knative.dev/v1), which is the target
// itself: it makes a Revision of each change of its template, and its spec.traffic says which Revision gets how much.
//
// Weir says every share by the name of a Revision. So a new one gets nothing until Weir says so. The list is Weir's as a
// whole, because server-side apply knows no part of it; entries without a share, as tags are, stay in it as they are
// found.
//
// A side that gets nothing is left out. While a Revision that is named is not ready, be it with 0 percent, Knative changes
// nothing of what it serves, and a canary is not ready when its run begins.
package knative

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is how long whatever serves Knative's routes may take after Knative has said that they are ready.
const settle = 3 * time.Second

// Services are those of Knative.
func Services() schema.GroupVersionResource { return groupVersion().WithResource("services") }

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "serving.knative.dev", Version: "v1"}
}

// Router is Knative's.
type Router struct{}

var _ router.Router = Router{}

// Name is "knative".
func (Router) Name() string { return "knative" }

// Features are shares of requests. Knative knows no other way to a Revision than by a tag, which has a host of its own.
func (Router) Features() router.Features {
	return router.Features{router.Weighted: true, router.AdoptsRoute: true, router.OwnRevisions: true}
}

// Settle is three seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are Knative's Services, and its Revisions, by which the target is read.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Services(), groupVersion().WithResource("revisions")}
}

// Refs are the target.
func (Router) Refs(app router.App) []router.Ref {
	if rollout.KindOf(app.Canary) != v1beta1.KindKnativeService {
		return nil // what has the name of another kind's target is not asked for
	}
	return []router.Ref{ref(app)}
}

func ref(app router.App) router.Ref {
	return router.Ref{Resource: Services(), Namespace: app.Canary.Namespace, Name: app.Canary.Spec.TargetRef.Name}
}

// Render gives the shares of a split. As long as there is no Revision to send everything to, it gives nothing.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	have := found[ref(app)]
	if have == nil {
		return nil, nil
	}
	if app.Canary.Status.Primary == nil {
		if err := adoptable(have); err != nil {
			return nil, err
		}
	}
	between, ok := sidesOf(app, have)
	if !ok {
		return nil, nil
	}
	intent := &unstructured.Unstructured{Object: object{"spec": object{"traffic": written(have, between.entries(split.Weight))}}}
	intent.SetGroupVersionKind(groupVersion().WithKind("Service"))
	intent.SetNamespace(have.GetNamespace())
	intent.SetName(have.GetName())
	intent.SetUID(have.GetUID()) // what is deleted meanwhile is not made anew out of its shares
	return []router.Object{{Ref: ref(app), Intent: intent}}, nil
}

// Release gives all traffic to the latest ready Revision again, if that is the primary. Otherwise it stays with the
// primary, by its name: the latest was not proven.
func (Router) Release(app router.App, found router.Found) ([]router.Released, error) {
	have := found[ref(app)]
	if have == nil || !isWeirs(have) {
		return nil, nil
	}
	entry := object{"latestRevision": true, "percent": int64(all)}
	between, ok := sidesOf(app, have)
	if ok && !isLatest(have, between.primary) && statusShares(have)[between.primary] > 0 {
		entry = share(between.primary, all)
	}
	left := router.Disowned(app, have)
	if err := unstructured.SetNestedSlice(left.Object, written(have, []any{entry}), "spec", "traffic"); err != nil {
		return nil, fmt.Errorf("giving back %s: %w", called(have), err)
	}
	return []router.Released{{Ref: ref(app), Object: left}}, nil
}
