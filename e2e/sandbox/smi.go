package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// SMIDefinitions are the CRD of TrafficSplits, out of SMI's module in the version of Weir's go.mod, with one version
// stored and perhaps others served beside it. The module has it in a form that API servers take no more, so it is said
// anew in theirs; and it has one schema for all versions.
func SMIDefinitions(ctx context.Context, stored string, beside ...string) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	const module = "github.com/servicemeshinterface/smi-sdk-go"
	old, err := readDefinitions(ctx, definition{tree, module, "crds/split.yaml"})
	if err != nil {
		return nil, err
	}
	crd, err := presentForm(bytes.TrimLeft(old, "\n-"))
	if err != nil {
		return nil, fmt.Errorf("reading the definition in %s: %w", module, err)
	}
	for i := range crd.Spec.Versions {
		version := &crd.Spec.Versions[i]
		version.Storage = version.Name == stored
		version.Served = version.Storage || slices.Contains(beside, version.Name)
		version.Schema.OpenAPIV3Schema.Type = "object" // which went without saying
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(crd)
	if err != nil {
		return nil, fmt.Errorf("writing the definition in %s: %w", module, err)
	}
	delete(content, "status") // which is nobody's to apply
	return yaml.Marshal(content)
}

// presentForm says a definition of apiextensions.k8s.io/v1beta1 as one of v1.
func presentForm(old []byte) (*v1.CustomResourceDefinition, error) {
	before, between := &v1beta1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(old, before); err != nil {
		return nil, err
	}
	err := v1beta1.Convert_v1beta1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(before, between, nil)
	if err != nil {
		return nil, err
	}
	now := &v1.CustomResourceDefinition{}
	err = v1.Convert_apiextensions_CustomResourceDefinition_To_v1_CustomResourceDefinition(between, now, nil)
	if err != nil {
		return nil, err
	}
	now.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	return now, nil
}
