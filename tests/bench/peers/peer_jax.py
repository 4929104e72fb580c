"""JAX: a whole epoch is one compiled program, a scan over shuffled batches that stay on the device."""

import jax
import jax.numpy as jnp

import common


def initial(key, widths):
    """Glorot-uniform weights [in, out] and zero biases."""
    glorot = jax.nn.initializers.glorot_uniform()
    pairs = list(zip(widths, widths[1:]))
    keys = jax.random.split(key, len(pairs))
    return [(glorot(k, pair), jnp.zeros(pair[1])) for k, pair in zip(keys, pairs)]


def cross_entropy(parameters, x):
    """Mean binary cross-entropy of the reconstruction, from logits."""
    y = x
    for weight, bias in parameters[:-1]:
        y = jax.nn.relu(y @ weight + bias)
    weight, bias = parameters[-1]
    logits = y @ weight + bias
    return jnp.mean(jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def adam(parameters, gradients, first, second, rate, epsilon):
    """One step of Adam; `rate` and `epsilon` already hold the bias corrections."""
    beta1, beta2 = common.BETAS
    each = jax.tree.map
    first = each(lambda m, g: m + (1 - beta1) * (g - m), first, gradients)
    second = each(lambda v, g: v + (1 - beta2) * (g * g - v), second, gradients)
    parameters = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + epsilon), parameters, first, second)
    return parameters, first, second


def epoch(state, data):
    """Train on every image once; returns the state and the mean loss of the batches."""
    learned, step, key = state
    key, shuffle = jax.random.split(key)
    batches = jax.random.permutation(shuffle, len(data)).reshape(-1, common.BATCH_SIZE)
    beta1, beta2 = common.BETAS
    steps = step + 1 + jnp.arange(len(batches))
    unbias = jnp.sqrt(1 - beta2**steps)
    rates = common.LEARNING_RATE * unbias / (1 - beta1**steps)

    def one(learned, batch):
        parameters, first, second = learned
        rows, rate, epsilon = batch
        loss, gradients = jax.value_and_grad(cross_entropy)(parameters, data[rows])
        return adam(parameters, gradients, first, second, rate, epsilon), loss

    learned, losses = jax.lax.scan(one, learned, (batches, rates, common.EPSILON * unbias))
    return (learned, step + len(batches), key), losses.mean()


def main():
    """Train and print one line per epoch."""
    options = common.arguments()
    train, validation = common.images(options.data)
    train = jax.device_put(train)
    key, seed = jax.random.split(jax.random.key(options.seed))
    parameters = initial(seed, common.widths(options))
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = ((parameters, *zeros), jnp.zeros(()), key)
    compiled = jax.jit(epoch, donate_argnums=0)
    evaluate = jax.jit(cross_entropy)

    def train_epoch():
        nonlocal state
        state, loss = compiled(state, train)
        return loss

    common.train(options, f"JAX {jax.__version__}", train_epoch, lambda x: evaluate(state[0][0], x), validation)


if __name__ == "__main__":
    main()
