"""A simulator as a Gymnasium environment: an episode of three minutes, decided by the first legal choice."""

import gymnasium

import simdistill  # noqa: F401 (makes the simulators known to Gymnasium)

if __name__ == "__main__":
    env = gymnasium.make("simdistill/Queueing-v0", horizon=3.0, arrival_rate=2.0)
    observation, info = env.reset(seed=7)
    print(info["question"], info["choices"], info["action_mask"].tolist())
    total, ended = 0.0, False
    while not ended:
        print(f"{info['time']:.2f}  jobs {info['state']['jobs']}")
        observation, reward, terminated, truncated, info = env.step(0)
        total, ended = total + reward, terminated or truncated
    print(f"{info['time']:.2f}  truncated: {truncated}, rewards {total:.2f}")
