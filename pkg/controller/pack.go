package controller

import (
	"bytes"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/cache"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// packed is an object in a cache as bytes, a third of what it takes as structs and maps: of thousands, few are looked at. Of
// its metadata there is what it is kept under, and what says whom a change of it concerns.
type packed struct {
	namespace, name, version string
	concerns                 *concerns
	content                  []byte
}

// concerns is what says whom a change of an object concerns, beside its name; each may be nil. Of many objects it is nothing.
type concerns struct {
	owner           *metav1.OwnerReference
	canary, knative *string // the value of the annotation, and of the label
}

// GetObjectMeta gives what is kept, made anew: whoever asks lets go of it soon.
func (p *packed) GetObjectMeta() metav1.Object {
	m := &metav1.ObjectMeta{Namespace: p.namespace, Name: p.name, ResourceVersion: p.version}
	if p.concerns == nil {
		return m
	}
	if owner := p.concerns.owner; owner != nil {
		m.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	if value := p.concerns.canary; value != nil {
		m.Annotations = map[string]string{v1beta1.AnnotationCanary: *value}
	}
	if value := p.concerns.knative; value != nil {
		m.Labels = map[string]string{workload.KnativeServiceLabel: *value}
	}
	return m
}

// message is a kind of Kubernetes' own.
type message[T any] interface {
	*T
	metav1.Object
	Marshal() ([]byte, error)
	Unmarshal(raw []byte) error
}

// pack is slim, and packs the kinds of which there may be several for each Canary.
func pack(obj any) (any, error) {
	obj, err := slim(obj)
	if err != nil {
		return nil, err
	}
	switch o := obj.(type) {
	case *appsv1.Deployment:
		return packMessage(o)
	case *appsv1.ReplicaSet:
		return packMessage(o)
	case *appsv1.StatefulSet:
		return packMessage(o)
	case *appsv1.DaemonSet:
		return packMessage(o)
	case *appsv1.ControllerRevision:
		return packMessage(o)
	case *corev1.Service:
		return packMessage(o)
	case *unstructured.Unstructured:
		content, err := o.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("packing %s %s/%s: %w", o.GetKind(), o.GetNamespace(), o.GetName(), err)
		}
		return newPacked(o, bytes.Clone(content)), nil // without the room to grow that it was written in
	}
	return obj, nil // packed already, or none of these
}

func packMessage[T any, P message[T]](o P) (*packed, error) {
	content, err := o.Marshal()
	if err != nil {
		return nil, fmt.Errorf("packing %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	return newPacked(o, content), nil
}

func newPacked(o metav1.Object, content []byte) *packed {
	p := &packed{namespace: o.GetNamespace(), name: o.GetName(), version: o.GetResourceVersion(), content: content}
	of := concerns{}
	switch o.(type) {
	case *appsv1.ReplicaSet, *appsv1.ControllerRevision: // others concern by their names
		of.owner = metav1.GetControllerOf(o)
	}
	if value, there := o.GetAnnotations()[v1beta1.AnnotationCanary]; there {
		of.canary = &value
	}
	if value, there := o.GetLabels()[workload.KnativeServiceLabel]; there {
		of.knative = &value
	}
	if of != (concerns{}) {
		p.concerns = &of
	}
	return p
}

// unpack gives an object of a cache, which is the caller's; nil for what is of another kind.
func unpack[T any, P message[T]](obj any) P {
	p, ok := obj.(*packed)
	if !ok {
		return nil
	}
	out := P(new(T))
	if err := out.Unmarshal(p.content); err != nil {
		return nil // it was packed here
	}
	return out
}

// unpackRoute is unpack for a route.
func unpackRoute(obj any) *unstructured.Unstructured {
	p, ok := obj.(*packed)
	if !ok {
		return nil
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON(p.content); err != nil {
		return nil // it was packed here
	}
	return out
}

// cached is an object of a cache by its name; nil for what is not there.
func cached[T any, P message[T]](informer cache.SharedIndexInformer, namespace, name string) P {
	obj, there, err := informer.GetStore().GetByKey(cache.NewObjectName(namespace, name).String())
	if err != nil || !there {
		return nil
	}
	return unpack[T, P](obj)
}
