// Package traefik shifts traffic by the weights of a TraefikService (traefik.io/v1alpha1), to which an IngressRoute of
// the user's leads.
//
// The TraefikService is of kind weighted and has the name of the apex Service. Weir makes it and owns its list of
// services as a whole, because server-side apply knows no part of it. One of that name that somebody else made is
// refused, unless its label gives it to Weir and there is nothing in it that would be lost.
//
// In the list stand the primary's and the canary's Service, of which one that gets nothing is left out. Traefik drops a
// TraefikService altogether while one of its Services has no pod that is ready, also at weight 0, and answers all of
// its requests with 404; a setting of Traefik's prevents that, and cannot be seen from here. A canary has no such pod when
// a run begins.
//
// Where requests are copied, a second TraefikService, of kind mirroring, stands in the primary's place, sends all that
// it gets to the primary and the copies to the canary.
package traefik

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weir.dev/weir/pkg/rollout"
	"weir.dev/weir/pkg/router"
)

// settle is above the two seconds for which Traefik gathers changes before it takes them over. There is nobody who
// says that it has.
const settle = 5 * time.Second

const kind = "TraefikService"

// Resource of TraefikServices.
func Resource() schema.GroupVersionResource {
	return groupVersion().WithResource("traefikservices")
}

func groupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: "traefik.io", Version: "v1alpha1"}
}

// Router is Traefik's.
type Router struct{}

var _ router.Router = Router{}

// Name is "traefik".
func (Router) Name() string { return "traefik" }

// Features are weights and mirrors. What requests a route takes, and what it does to them, is the user's to say in his
// IngressRoute. A sticky cookie of Traefik's is no session affinity: answers of the primary set it, too, and keep their
// users there while the canary's weight rises; and its value is that of a Service, whatever its revision.
func (Router) Features() router.Features {
	return router.Features{
		router.Weighted: true, router.OwnsRoute: true, router.Mirrors: true, router.MirrorsPercent: true,
	}
}

// Settle is five seconds.
func (Router) Settle() time.Duration { return settle }

// Resources are TraefikServices.
func (Router) Resources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{Resource()}
}

// Refs are the TraefikService that mirrors, and then the one that sends traffic by it.
func (Router) Refs(app router.App) []router.Ref {
	return []router.Ref{mirrorRef(app), ref(app)}
}

func ref(app router.App) router.Ref {
	return router.Ref{Resource: Resource(), Namespace: app.Canary.Namespace, Name: app.Apex}
}

func mirrorRef(app router.App) router.Ref {
	r := ref(app)
	r.Name += "-mirror"
	return r
}

// Render gives the TraefikServices: the one that mirrors where that is asked for, or was.
func (Router) Render(app router.App, split rollout.Split, found router.Found) ([]router.Object, error) {
	var objects []router.Object
	if have := found[mirrorRef(app)]; split.Mirror > 0 || have != nil && isMade(app, have) {
		if err := ours(app, have); err != nil {
			return nil, err
		}
		intent, err := whole(app, mirrorRef(app), object{"mirroring": mirroring(app, split)})
		if err != nil {
			return nil, err
		}
		objects = append(objects, router.Object{Ref: mirrorRef(app), Intent: intent})
	}
	have := found[ref(app)]
	if err := ours(app, have); err != nil {
		return nil, err
	}
	if have != nil && !held(app, have) {
		if err := transferable(app, have); err != nil {
			return nil, err
		}
	}
	intent, err := whole(app, ref(app), object{"weighted": object{"services": shares(app, split)}})
	if err != nil {
		return nil, err
	}
	return append(objects, router.Object{Ref: ref(app), Intent: intent}), nil
}

// whole is an object that is Weir's.
func whole(app router.App, r router.Ref, spec object) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{Object: object{"spec": spec}}
	u.SetAPIVersion(groupVersion().String())
	u.SetKind(kind)
	u.SetNamespace(r.Namespace)
	u.SetName(r.Name)
	u.SetLabels(app.Labels)
	if err := unstructured.SetNestedSlice(u.Object, []any{app.Owner}, "metadata", "ownerReferences"); err != nil {
		return nil, fmt.Errorf("naming the owner of %s: %w", called(u), err)
	}
	return u, nil
}

// called is what an object is called in a message.
func called(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", kind, o.GetNamespace(), o.GetName())
}

// isMade says that an object is one that Weir made for this Canary, or one that a label gives to it: that of a Canary
// of the same name that is gone, or the user's.
func isMade(app router.App, have *unstructured.Unstructured) bool {
	if owner := metav1.GetControllerOf(have); owner != nil {
		return owner.UID == app.Canary.UID
	}
	labels := have.GetLabels()
	for k, v := range app.Labels {
		if labels[k] != v {
			return false
		}
	}
	return len(app.Labels) > 0
}

// ours refuses an object of somebody else's, and says how it becomes Weir's without a gap.
func ours(app router.App, have *unstructured.Unstructured) error {
	if have == nil || isMade(app, have) {
		return nil
	}
	if owner := metav1.GetControllerOf(have); owner != nil {
		return fmt.Errorf("%s belongs to %s %s; delete it there, or make this Canary anew with another spec.service.name",
			called(have), owner.Kind, owner.Name)
	}
	for k, v := range app.Labels {
		return fmt.Errorf("%s is not Weir's, and provider traefik makes its own; give it the label %s=%s for Weir to take it "+
			"over, or make this Canary anew with another spec.service.name", called(have), k, v)
	}
	return fmt.Errorf("%s is not Weir's, and provider traefik makes its own; delete it", called(have))
}
