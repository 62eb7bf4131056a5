// Package charts has Helm do what a user has it do with the charts of the tree. It is for tests: Helm is built where it is
// missing, and neither reads nor writes what the user at the machine has of Helm's.
package charts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"weir.dev/weir/e2e/sandbox"
)

// Helm runs Helm.
type Helm struct {
	program, home, kubeconfig string
}

// Open finds a Helm, whose own files are in the folder home, and whose cluster is that of the kubeconfig; without one it
// can only render. Progress is told what is built.
func Open(ctx context.Context, home, kubeconfig string, progress io.Writer) (Helm, error) {
	program, err := sandbox.Helm(ctx, progress)
	if err != nil {
		return Helm{}, fmt.Errorf("finding Helm: %w", err)
	}
	return Helm{program: program, home: home, kubeconfig: kubeconfig}, nil
}

// Run runs a command of Helm's that takes values, which are YAML. The error has what Helm said.
func (h Helm) Run(ctx context.Context, values string, args ...string) (said []byte, err error) {
	command := exec.CommandContext(ctx, h.program, append(args, "--values=-")...)
	command.Stdin = strings.NewReader(values)
	return h.run(command)
}

// Uninstall ends a release, if it is there.
func (h Helm) Uninstall(ctx context.Context, release, namespace string) error {
	_, err := h.run(exec.CommandContext(ctx, h.program, "uninstall", release, "--ignore-not-found", "--namespace="+namespace))
	return err
}

func (h Helm) run(command *exec.Cmd) ([]byte, error) {
	command.Env = append(os.Environ(), "HOME="+h.home, "KUBECONFIG="+h.kubeconfig)
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} {
		command.Env = append(command.Env, "HELM_"+kind+"_HOME="+h.home)
	}
	var wrong bytes.Buffer
	command.Stderr = &wrong
	said, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", strings.Join(command.Args[1:], " "), err, said, wrong.Bytes())
	}
	return said, nil
}

// Objects are those of manifests, in their order.
func Objects(manifests []byte) ([]*unstructured.Unstructured, error) {
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
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// Pod is that of the one Deployment among objects.
func Pod(objects []*unstructured.Unstructured) (corev1.PodTemplateSpec, error) {
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			var deployment appsv1.Deployment
			err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment)
			return deployment.Spec.Template, err
		}
	}
	return corev1.PodTemplateSpec{}, errors.New("there is no Deployment")
}

// Unset are the flags of a program that its chart leaves at their defaults when everything is set that testdata knows. The
// flags are parsed as the program does it, and an error has what the program would not take. Home is as for Open.
func Unset(ctx context.Context, home, chart string, flags *pflag.FlagSet) ([]string, error) {
	tree, err := sandbox.Tree(ctx)
	if err != nil {
		return nil, err
	}
	values, err := os.ReadFile(filepath.Join(tree, "e2e/charts/testdata", chart+"-everything.values.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the values: %w", err)
	}
	helm, err := Open(ctx, home, "", nil)
	if err != nil {
		return nil, err
	}
	manifests, err := helm.Run(ctx, string(values), "template", chart, filepath.Join(tree, "charts", chart))
	if err != nil {
		return nil, err
	}
	objects, err := Objects(manifests)
	if err != nil {
		return nil, err
	}
	pod, err := Pod(objects)
	if err != nil {
		return nil, err
	}
	if err := flags.Parse(pod.Spec.Containers[0].Args); err != nil {
		return nil, err
	}
	for _, env := range pod.Spec.Containers[0].Env { // those from Secrets have a value in a cluster alone
		if name, ok := strings.CutPrefix(env.Name, "WEIR_"); ok {
			name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
			if err := flags.Set(name, "from a Secret"); err != nil {
				return nil, err
			}
		}
	}
	var unset []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Value.String() == f.DefValue {
			unset = append(unset, f.Name)
		}
	})
	return unset, nil
}
