package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"weir.dev/weir/pkg/alert"
	channels "weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// alert has the commands about alerts.
func (c *cli) alert() *cobra.Command {
	cmd := &cobra.Command{Use: "alert", Short: "Try where alerts go"}
	cmd.AddCommand(c.alertTest())
	return cmd
}

type alertOptions struct {
	cluster  bool
	severity string
}

func (c *cli) alertTest() *cobra.Command {
	o := alertOptions{}
	cmd := &cobra.Command{
		Use:   "test PROVIDER",
		Short: "Send a message by an AlertProvider, and say what came of it",
		Long: `Send a message by an AlertProvider, and say what came of it.

The message says that it is a test. It is sent from here, with the Secret that the provider names, which is read with
your own rights; the operator may reach other servers than you do.

A pager pages for severities warn and error, and what it opens is not closed by itself.`,
		Example: "  kubectl weir alert test slack -n shop\n" +
			"  kubectl weir alert test on-call --cluster --severity error",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("give the name of one AlertProvider, as in: %s slack", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return c.completeProviders(cmd.Context(), args, o.cluster), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(severities(), o.severity) {
				return fmt.Errorf("--severity must be %s", words.Or(severities()))
			}
			k, err := c.connect()
			if err != nil {
				return err
			}
			return c.sendTest(cmd.Context(), k, args[0], o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.cluster, "cluster", false, "it is a ClusterAlertProvider")
	f.StringVar(&o.severity, "severity", string(v1beta1.SeverityInfo), "severity of the message: "+words.Or(severities()))
	// The error would be that there is no such flag.
	_ = cmd.RegisterFlagCompletionFunc("severity",
		cobra.FixedCompletions(severities(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func severities() []string {
	return []string{string(v1beta1.SeverityInfo), string(v1beta1.SeverityWarn), string(v1beta1.SeverityError)}
}

func (c *cli) sendTest(ctx context.Context, k *cluster, name string, o alertOptions) error {
	p, err := k.alertProvider(ctx, name, o.cluster)
	if err != nil {
		return err
	}
	channel, err := channels.New(p.spec, p.secret, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", p.who, err)
	}
	m := alert.Message{
		ID: "test/" + string(uuid.NewUUID()), Severity: v1beta1.AlertSeverity(o.severity), Reason: "Test", At: c.Now(),
		Namespace: p.namespace, Name: name,
		Text: "this is a test of " + p.who + ", sent by `kubectl weir alert test`; no release has anything to do with it",
	}
	if err := channel.Send(ctx, m); err != nil {
		return fmt.Errorf("%s was not told: %w%s", p.who, err, advice(err))
	}
	fmt.Fprintf(c.Out, "%s has taken the message, of severity %s\n", p.who, o.severity)
	return nil
}

// advice is what can be done about an error, where it does not say so itself.
func advice(err error) string {
	var e *alert.Error
	if !errors.As(err, &e) || e.Kind != alert.Transport {
		return ""
	}
	if e.RetryAfter > 0 {
		return "; it wants to be left alone for " + words.Span(e.RetryAfter)
	}
	return "; trying again may help"
}

// alertProvider is one of either kind, and its Secret.
type alertProvider struct {
	// who it is, for people.
	who string
	// namespace of the provider, empty for one of the cluster.
	namespace string
	spec      v1beta1.AlertChannel
	secret    map[string][]byte
}

func (k *cluster) alertProvider(ctx context.Context, name string, ofCluster bool) (*alertProvider, error) {
	var p *alertProvider
	var secret v1beta1.NamespacedSecretRef
	if ofCluster {
		found, err := k.weir.WeirV1beta1().ClusterAlertProviders().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, notThere(err, "there is no ClusterAlertProvider %s; leave out --cluster for one of a namespace", name)
		}
		p = &alertProvider{who: "ClusterAlertProvider " + name, spec: found.Spec.AlertChannel}
		if ref := found.Spec.SecretRef; ref != nil {
			secret = *ref
		}
	} else {
		found, err := k.weir.WeirV1beta1().AlertProviders(k.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, notThere(err, "there is no AlertProvider %s in namespace %s; give --cluster for a ClusterAlertProvider",
				name, k.namespace)
		}
		p = &alertProvider{who: "AlertProvider " + name, namespace: k.namespace, spec: found.Spec.AlertChannel}
		if ref := found.Spec.SecretRef; ref != nil {
			secret = v1beta1.NamespacedSecretRef{Name: ref.Name, Namespace: k.namespace}
		}
	}
	if secret.Name == "" {
		return p, nil
	}
	s, err := k.kube.CoreV1().Secrets(secret.Namespace).Get(ctx, secret.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the Secret of %s: %w", p.who, err)
	}
	if p.secret = s.Data; p.secret == nil {
		p.secret = map[string][]byte{}
	}
	return p, nil
}

// notThere says so in words, where it is that.
func notThere(err error, format string, args ...any) error {
	if apierrors.IsNotFound(err) && !unserved(err) {
		return fmt.Errorf(format, args...)
	}
	return err
}

func (c *cli) completeProviders(ctx context.Context, args []string, ofCluster bool) []string {
	k, err := c.connect()
	if err != nil || len(args) > 0 {
		return nil
	}
	var names []string
	if ofCluster {
		list, err := k.weir.WeirV1beta1().ClusterAlertProviders().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil
		}
		for _, p := range list.Items {
			names = append(names, p.Name+"\t"+p.Spec.Type)
		}
		return names
	}
	list, err := k.weir.WeirV1beta1().AlertProviders(k.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	for _, p := range list.Items {
		names = append(names, p.Name+"\t"+p.Spec.Type)
	}
	return names
}
