package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/client/clientset/versioned"
)

// cluster is the one that the flags name.
type cluster struct {
	kube      kubernetes.Interface
	weir      versioned.Interface
	dynamic   dynamic.Interface
	namespace string
	now       func() time.Time
	scope
}

// scope are the flags by which a person has chosen the cluster, for commands that they are told to type.
type scope string

func (c *cli) connect() (*cluster, error) {
	config, err := c.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the API server's own fairness is limit enough
	k := &cluster{now: c.Now}
	if k.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	if k.weir, err = versioned.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	if k.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	if k.namespace, _, err = c.flags.ToRawKubeConfigLoader().Namespace(); err != nil {
		return nil, err
	}
	if given := *c.flags.Context; given != "" {
		k.scope += scope(" --context " + given)
	}
	if given := *c.flags.Namespace; given != "" {
		k.scope += scope(" -n " + given)
	}
	return k, nil
}

// canaryName takes `podinfo` and `canary/podinfo`.
func canaryName(arg string) (string, error) {
	kind, name, slash := strings.Cut(arg, "/")
	if !slash {
		kind, name = "canary", arg
	}
	switch strings.ToLower(kind) {
	case "canary", "canaries", "can", "canary.weir.dev", "canaries.weir.dev":
	default:
		return "", fmt.Errorf("%s is not a Canary; give the name of one, as in podinfo or canary/podinfo", arg)
	}
	if name == "" {
		return "", fmt.Errorf("%q names no Canary", arg)
	}
	return name, nil
}

// one wants exactly one NAME, and says so in words.
func one(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("give the name of one Canary, as in: %s podinfo", cmd.CommandPath())
	}
	return nil
}

// canary reads a Canary that a person has named.
func (k *cluster) canary(ctx context.Context, arg string) (*v1beta1.Canary, error) {
	name, err := canaryName(arg)
	if err != nil {
		return nil, err
	}
	canary, err := k.weir.WeirV1beta1().Canaries(k.namespace).Get(ctx, name, metav1.GetOptions{})
	if err == nil {
		return canary, nil
	}
	if apierrors.IsNotFound(err) && !unserved(err) {
		return nil, fmt.Errorf("there is no Canary %s in namespace %s; `kubectl weir list%s` has those that there are",
			name, k.namespace, k.scope)
	}
	return nil, err
}

// say is a command for a person to type.
func (s scope) say(verb, name string, more ...string) string {
	return strings.Join(append([]string{"kubectl weir " + verb, name}, more...), " ") + string(s)
}
