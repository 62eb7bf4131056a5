package cli

import (
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// What a shell completes is what is there; where the cluster is not reached, it is nothing.

func (c *cli) completeCanaries(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	k, err := c.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := k.weir.WeirV1beta1().Canaries(k.namespace).List(cmd.Context(), metav1.ListOptions{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range list.Items {
		if name := list.Items[i].Name; !slices.Contains(args, name) {
			names = append(names, name+"\t"+string(list.Items[i].Status.Phase))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeOne completes one NAME and nothing after it.
func (c *cli) completeOne(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.completeCanaries(cmd, args, typed)
}

// completeGate completes a NAME, and then a gate of that Canary.
func (c *cli) completeGate(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return c.completeOne(cmd, args, typed)
	}
	k, err := c.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	canary, err := k.canary(cmd.Context(), args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return gatesOf(canary), cobra.ShellCompDirectiveNoFileComp
}

// gatesOf are the gates that a person may approve: those that the run waits for, or, where it waits for none,
// those that it may come to.
func gatesOf(canary *v1beta1.Canary) []string {
	var names []string
	for _, g := range words.ClosedGates(canary) {
		names = append(names, g.Name+"\t"+g.Type+", "+string(g.State))
	}
	if len(names) > 0 {
		return names
	}
	for _, w := range canary.Spec.Analysis.Webhooks {
		if words.IsGate(w.Type) {
			names = append(names, w.Name+"\t"+w.Type)
		}
	}
	if canary.Spec.Analysis.Manual {
		names = append(names, v1beta1.ManualGate+"\t"+v1beta1.WebhookConfirmPromotion)
	}
	return names
}

func (c *cli) completeFlags(root *cobra.Command) {
	namespaces := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		k, err := c.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list, err := k.kube.CoreV1().Namespaces().List(cmd.Context(), metav1.ListOptions{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	contexts := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		config, err := c.flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return sorted(config.Contexts), cobra.ShellCompDirectiveNoFileComp
	}
	// The errors would be that there are no such flags.
	_ = root.RegisterFlagCompletionFunc("namespace", namespaces)
	_ = root.RegisterFlagCompletionFunc("context", contexts)
}
