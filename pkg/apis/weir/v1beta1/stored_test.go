package v1beta1_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

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
				var status v1beta1.CanaryStatus
				fill(reflect.ValueOf(&status).Elem())
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

// fill gives every field within a value a value that is allowed there.
func fill(v reflect.Value) {
	switch at := v.Addr().Interface().(type) {
	case *metav1.Time:
		*at = metav1.Unix(1767225600, 0)
		return
	case *metav1.MicroTime:
		*at = metav1.NewMicroTime(time.Unix(1767225600, 5000))
		return
	case *v1beta1.Phase:
		*at = v1beta1.PhaseProgressing
		return
	case *v1beta1.Outcome:
		*at = v1beta1.OutcomePromoted
		return
	case *v1beta1.Verdict:
		*at = v1beta1.VerdictPassed
		return
	case *v1beta1.GateState:
		*at = v1beta1.GateOpen
		return
	case *v1beta1.AlertSeverity:
		*at = v1beta1.SeverityWarn
		return
	case *metav1.Condition:
		*at = metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, ObservedGeneration: 1, Reason: "Promoted", Message: "m",
			LastTransitionTime: metav1.Unix(1767225600, 0)}
		return
	case *v1beta1.StringMatch: // one of its fields alone
		at.Exact = "x"
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch field := v.Type().Field(i); {
			case field.Name == "Method":
				v.Field(i).SetString("GET")
			case field.IsExported():
				fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1.5)
	}
}
