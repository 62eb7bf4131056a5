package v1beta1_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

var rewrite = flag.Bool("rewrite", false, "write what is stored of the examples, for the version that is next to be released")

// nextRelease has the objects as this version stores them. Those of a version that was released are never written anew.
const nextRelease = "testdata/stored/0.1.0"

// testStored: what an earlier version has stored, this one takes and gives back as it is: definitions only ever grow.
func testStored(t *testing.T, c *cluster) {
	if *rewrite {
		c.store(t)
	}
	files, err := filepath.Glob("testdata/stored/*/*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(files), 20)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		stored := &unstructured.Unstructured{}
		require.NoError(t, yaml.UnmarshalStrict(content, &stored.Object))
		stored.SetName("stored-" + stored.GetName())
		was := stored.DeepCopy()
		is := c.put(t, stored)
		for _, part := range []string{"spec", "status"} {
			before, err := yaml.Marshal(was.Object[part])
			require.NoError(t, err)
			after, err := yaml.Marshal(is.Object[part])
			require.NoError(t, err)
			assert.Equal(t, string(before), string(after), "%s of %s", part, file)
		}
		require.NoError(t, c.kindOf(was).Delete(t.Context(), was.GetName(), metav1.DeleteOptions{}))
	}
}

// kindOf is the client of an object's kind.
func (c *cluster) kindOf(object *unstructured.Unstructured) dynamic.ResourceInterface {
	return c.kind(object.GetKind(), "").client
}

// store writes what this version stores of the examples, and of a Canary whose status has all that a status can have.
func (c *cluster) store(t *testing.T) {
	require.NoError(t, os.RemoveAll(nextRelease))
	require.NoError(t, os.MkdirAll(nextRelease, 0o755))
	examples, err := filepath.Glob("../../../../artifacts/examples/*.yaml")
	require.NoError(t, err)
	for _, file := range examples {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal(document, &object.Object))
			if object.GroupVersionKind().Group != v1beta1.GroupName {
				continue
			}
			if object.GetKind() == "Canary" {
				status := fullStatus()
				object.Object["status"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
				require.NoError(t, err)
			}
			is := c.put(t, object)
			kept := map[string]any{"apiVersion": is.GetAPIVersion(), "kind": is.GetKind(), "spec": is.Object["spec"],
				"metadata": map[string]any{"name": is.GetName()}}
			if status := is.Object["status"]; status != nil {
				kept["status"] = status
			}
			text, err := yaml.Marshal(kept)
			require.NoError(t, err)
			name := strings.ToLower(is.GetKind()) + "-" + is.GetName() + ".yaml"
			require.NoError(t, os.WriteFile(filepath.Join(nextRelease, name), text, 0o644))
			require.NoError(t, c.kindOf(is).Delete(t.Context(), is.GetName(), metav1.DeleteOptions{}))
		}
	}
}

// put creates an object, with its status, and gives what is stored then.
func (c *cluster) put(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	object.SetNamespace("")
	status, has := object.Object["status"]
	client := c.kindOf(object)
	is, err := client.Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	require.NoError(t, err)
	if !has {
		return is
	}
	is.Object["status"] = status
	is, err = client.UpdateStatus(t.Context(), is, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
	require.NoError(t, err)
	return is
}
