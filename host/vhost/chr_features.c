// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features as an array of words, for those beyond the first 64. What is behind the second word is
 * zero.
 */
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "chr.h"

/* A driver can name more words than there will ever be, but not without end. */
#define PVCHR_WORDS_MAX		(SZ_4K / sizeof(u64))

/* Those that have features of ours. */
#define PVCHR_WORDS		2

static int pvchr_get_count(void __user *argp, u64 *count)
{
	if (copy_from_user(count, argp, sizeof(*count)))
		return -EFAULT;
	return *count > PVCHR_WORDS_MAX ? -E2BIG : 0;
}

/**
 * pvchr_get_features_array() - VHOST_GET_FEATURES_ARRAY
 * @c: the device
 * @argp: &struct vhost_features_array: has the number of words, gets as many
 *
 * Context: a system call; &pvdev.control held.
 * Return: 0; -E2BIG for more words than anybody needs, -EFAULT.
 */
long pvchr_get_features_array(struct pvchr *c, void __user *argp)
{
	u64 __user *word = argp + sizeof(struct vhost_features_array);
	const u64 words[PVCHR_WORDS] = { c->features, c->features_hi };
	u64 count, n;
	int err = pvchr_get_count(argp, &count);

	if (err)
		return err;
	n = min_t(u64, count, PVCHR_WORDS);
	if (copy_to_user(word, words, n * sizeof(*word)) ||
	    clear_user(word + n, (count - n) * sizeof(*word)))
		return -EFAULT;
	return 0;
}

/**
 * pvchr_set_features_array() - VHOST_SET_FEATURES_ARRAY
 * @c: the device
 * @argp: &struct vhost_features_array; words that are not in it are zero
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -E2BIG for more words than anybody needs, -EFAULT; otherwise as
 * for pvchr_accept().
 */
long pvchr_set_features_array(struct pvchr *c, void __user *argp)
{
	u64 __user *word = argp + sizeof(struct vhost_features_array);
	u64 words[PVCHR_WORDS] = { };
	u64 count, n;
	int ret = pvchr_get_count(argp, &count);

	if (ret)
		return ret;
	n = min_t(u64, count, PVCHR_WORDS);
	if (copy_from_user(words, word, n * sizeof(*word)))
		return -EFAULT;
	ret = check_zeroed_user(word + n, (count - n) * sizeof(*word));
	if (ret <= 0)
		return ret ?: -EOPNOTSUPP;
	return pvchr_accept(c, words[0], words[1]);
}
