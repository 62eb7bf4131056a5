package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// FieldManager is the name under which the sandbox applies.
const FieldManager = "weir-sandbox"

// Apply applies manifests, one after the other, and takes fields over from
// whoever had them. A CustomResourceDefinition is waited for until the API
// server serves it, so its objects may follow in the same manifests.
func Apply(ctx context.Context, config *rest.Config, manifests []byte) error {
	objects, err := parse(manifests)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	lookup, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	kinds := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(lookup))
	for _, object := range objects {
		if err := applyOne(ctx, client, kinds, object); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

func applyOne(ctx context.Context, client dynamic.Interface, kinds meta.ResettableRESTMapper,
	object *unstructured.Unstructured,
) error {
	kind := object.GroupVersionKind()
	mapping, err := resourceOf(ctx, kinds, kind)
	if err != nil {
		return fmt.Errorf("finding its resource: %w", err)
	}
	var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := object.GetNamespace()
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		resource = client.Resource(mapping.Resource).Namespace(namespace)
	}
	options := metav1.ApplyOptions{FieldManager: FieldManager, Force: true}
	if _, err := resource.Apply(ctx, object.GetName(), object, options); err != nil {
		return err
	}
	if kind.Kind == "CustomResourceDefinition" {
		return awaitServed(ctx, resource, object.GetName())
	}
	return nil
}

// resourceOf finds the resource of a kind. A kind that was defined a moment ago
// may not be in the API server's list yet, so an absence is looked at again.
func resourceOf(
	ctx context.Context, kinds meta.ResettableRESTMapper, kind schema.GroupVersionKind,
) (*meta.RESTMapping, error) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		mapping, err := kinds.RESTMapping(kind.GroupKind(), kind.Version)
		if !meta.IsNoMatchError(err) || time.Now().After(deadline) {
			return mapping, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
			kinds.Reset()
		}
	}
}

// awaitServed waits for a CustomResourceDefinition to be established.
func awaitServed(ctx context.Context, definitions dynamic.ResourceInterface, name string) error {
	for {
		current, err := definitions.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading it back: %w", err)
		}
		conditions, _, _ := unstructured.NestedSlice(current.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "Established" && condition["status"] == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting to be served: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// parse reads the objects of a YAML stream; lists are taken apart.
func parse(manifests []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading manifests: %w", err)
		}
		switch {
		case len(object.Object) == 0: // nothing between two separators
		case object.IsList():
			list, err := object.ToList()
			if err != nil {
				return nil, fmt.Errorf("reading manifests: %w", err)
			}
			for i := range list.Items {
				objects = append(objects, &list.Items[i])
			}
		default:
			objects = append(objects, object)
		}
	}
}
