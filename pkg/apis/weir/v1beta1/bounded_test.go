package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// TestStatusIsBounded: nothing in a status grows with the number of runs, or with what strangers answer: of each list in it
// the API server takes so many, and no map is in it whose keys nobody counts.
func TestStatusIsBounded(t *testing.T) {
	crd, ok := readCRDs(t)["Canary"]
	require.True(t, ok)
	status := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	lists := 0
	var walk func(path string, s apiextensionsv1.JSONSchemaProps)
	walk = func(path string, s apiextensionsv1.JSONSchemaProps) {
		if s.Type == "array" {
			lists++
			assert.NotNil(t, s.MaxItems, "%s has no maxItems", path)
			walk(path+"[]", *s.Items.Schema)
		}
		if s.AdditionalProperties != nil {
			assert.NotNil(t, s.MaxProperties, "%s has no maxProperties", path)
		}
		for name, field := range s.Properties {
			walk(path+"."+name, field)
		}
	}
	walk("status", status)
	assert.Greater(t, lists, 5)
}
