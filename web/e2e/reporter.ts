/** Prints the closing line: a violation of the policy or of axe's rules fails the test that sees it. */
import type { FullResult, Reporter, TestCase, TestResult } from "@playwright/test/reporter";

export default class ClosingLine implements Reporter {
  #passed = 0;
  #policy = 0;
  #axe = 0;

  onTestEnd(_: TestCase, { status, errors }: TestResult): void {
    if (status === "passed") this.#passed++;
    const text = errors.map(({ message }) => message).join("\n");
    this.#policy += text.match(/CSP \S+-src/g)?.length ?? 0;
    if (text.includes("axe violations")) this.#axe++;
  }

  onEnd({ status }: FullResult): void {
    const failed = status === "passed" ? "" : `; ${status}`;
    console.log(
      `console: ${this.#passed} passed, ${this.#policy} csp violations, ${this.#axe} axe violations${failed}`,
    );
  }
}
