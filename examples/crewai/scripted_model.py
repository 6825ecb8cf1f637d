"""A model that follows a script: the statements each agent would try, then an answer made of what the database said."""

from typing import Any

from crewai import BaseLLM

SCRIPTS: dict[str, list[str]] = {
    "support": [
        "SELECT id, name, email, ssn FROM customers WHERE id = 4711",
        "UPDATE orders SET status = 'paid'",
        "UPDATE orders SET status = 'paid' WHERE id = 17",
    ],
    "analyst": [
        "SELECT status, count(*) FROM orders GROUP BY status ORDER BY status LIMIT 3",
        "SELECT email FROM customers",
    ],
}


class ScriptedModel(BaseLLM):
    def __init__(self, role: str) -> None:
        super().__init__(model=f"scripted-{role}")
        self._statements = SCRIPTS[role]
        self._turn = 0

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        turn = self._turn
        self._turn += 1
        if turn < len(self._statements):
            sql = self._statements[turn].replace('"', '\\"')
            return f'Thought: I ask the database.\nAction: query\nAction Input: {{"sql": "{sql}"}}'
        said = [observation(message["content"]) for message in messages if message["role"] == "assistant"]
        answers = [f"{sql}\n   {answer}" for sql, answer in zip(self._statements, said)]
        return "Thought: I now know the final answer\nFinal Answer: " + "\n".join(answers)

    def supports_function_calling(self) -> bool:
        return False

    def supports_stop_words(self) -> bool:
        return False


def observation(content: str) -> str:
    """What the tool said: it stands behind the call of the tool; CrewAI's reminders follow after empty lines."""
    return "; ".join(content.partition("Observation:")[2].strip().split("\n\n")[0].splitlines())
