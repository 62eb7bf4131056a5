package gloo

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weir.dev/weir/pkg/router"
)

const kindUpstream = "Upstream"

func upstreamRef(app router.App, service string) router.Ref {
	return router.Ref{Resource: Upstreams(), Namespace: app.Canary.Namespace, Name: service}
}

// apexRef is the Upstream of the apex: the user's, where the spec names one.
func apexRef(app router.App) router.Ref {
	named := app.Canary.Spec.UpstreamRef
	if named == nil {
		return upstreamRef(app, app.Apex)
	}
	r := upstreamRef(app, named.Name)
	if named.Namespace != "" {
		r.Namespace = named.Namespace
	}
	return r
}

// upstreams are those of Weir's. While the user's is gone or leads elsewhere, those that are there stay as they are, so
// that traffic can be taken back by them; Read says why.
func upstreams(app router.App, found router.Found) ([]router.Object, error) {
	services := []string{app.Primary, app.CanaryService}
	if app.Canary.Spec.UpstreamRef == nil {
		services = append([]string{app.Apex}, services...)
	}
	standing := true
	for _, service := range services {
		have := found[upstreamRef(app, service)]
		standing = standing && have != nil
		if err := free(app, have); err != nil {
			return nil, err
		}
	}
	like, err := users(app, found)
	if err != nil && standing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []router.Object
	for _, service := range services {
		intent, err := router.Whole(app, control().WithKind(kindUpstream), service, upstreamFor(app, service, like))
		if err != nil {
			return nil, err
		}
		all = append(all, router.Object{Ref: upstreamRef(app, service), Intent: intent})
	}
	return all, nil
}

// free refuses an Upstream of somebody else's where one of Weir's would be.
func free(app router.App, have *unstructured.Unstructured) error {
	if have == nil || router.IsMade(app, have) {
		return nil
	}
	what := fmt.Sprintf("there is an Upstream %s/%s which Weir did not make for this Canary", have.GetNamespace(), have.GetName())
	if have.GetName() == app.Apex {
		return errors.New(what + "; name it in spec.upstreamRef")
	}
	return errors.New(what + "; delete or rename it, or make this Canary anew with another spec.service.name")
}

// users is the user's Upstream, or none where the spec does not name one.
func users(app router.App, found router.Found) (*unstructured.Unstructured, error) {
	if app.Canary.Spec.UpstreamRef == nil {
		return nil, nil
	}
	r := apexRef(app)
	name := fmt.Sprintf("Upstream %s/%s", r.Namespace, r.Name)
	like := found[r]
	if like == nil {
		return nil, fmt.Errorf("%s does not exist; make it, or correct spec.upstreamRef", name)
	}
	kube := mapIn(mapIn(like.Object, "spec"), "kube")
	if kube["serviceName"] != app.Apex || kube["serviceNamespace"] != app.Canary.Namespace ||
		kube["servicePort"] != int64(app.Canary.Spec.Service.Port) {
		return nil, fmt.Errorf("%s does not lead by spec.kube to port %d of Service %s/%s; correct it, or name another in "+
			"spec.upstreamRef", name, app.Canary.Spec.Service.Port, app.Canary.Namespace, app.Apex)
	}
	return like, nil
}

// upstreamFor is the spec for a Service, like the user's if there is one. What that one says of the apex's pods is not
// true of the Service's: a selector there would leave them out.
func upstreamFor(app router.App, service string, like *unstructured.Unstructured) object {
	spec, kube := object{}, object{}
	if like != nil {
		spec = runtime.DeepCopyJSON(mapIn(like.Object, "spec"))
		delete(spec, "discoveryMetadata")
		kube = mapIn(spec, "kube")
		delete(kube, "selector")
	} else if speaksHTTP2(&app.Canary.Spec.Service) {
		spec["useHttp2"] = true
	}
	kube["serviceName"], kube["serviceNamespace"] = service, app.Canary.Namespace
	kube["servicePort"] = int64(app.Canary.Spec.Service.Port)
	spec["kube"] = kube
	return spec
}

func mapIn(o object, field string) object {
	m, _ := o[field].(object)
	return m
}

func textIn(o object, field string) string {
	text, _ := o[field].(string)
	return text
}
