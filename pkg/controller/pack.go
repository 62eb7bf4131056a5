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
// its metadata there is what says whom a change of it concerns.
type packed struct {
	metav1.ObjectMeta
	content []byte
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
		return &packed{concerns(o), bytes.Clone(content)}, nil // without the room to grow that it was written in
	}
	return obj, nil // packed already, or none of these
}

func packMessage[T any, P message[T]](o P) (*packed, error) {
	content, err := o.Marshal()
	if err != nil {
		return nil, fmt.Errorf("packing %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	return &packed{concerns(o), content}, nil
}

// concerns is what of the metadata is looked at when an object changes.
func concerns(o metav1.Object) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(),
	}
	owner := metav1.GetControllerOf(o)
	if _, named := o.(*corev1.Service); owner != nil && !named { // a Service concerns by its name
		m.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	if value, there := o.GetAnnotations()[v1beta1.AnnotationCanary]; there {
		m.Annotations = map[string]string{v1beta1.AnnotationCanary: value}
	}
	if service, there := o.GetLabels()[workload.KnativeServiceLabel]; there {
		m.Labels = map[string]string{workload.KnativeServiceLabel: service}
	}
	return m
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
