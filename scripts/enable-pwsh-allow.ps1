#Requires -Version 5.1
<#
.SYNOPSIS
Let PowerShell run local scripts such as .venv\Scripts\Activate.ps1, after a warning and a question.

.DESCRIPTION
Windows refuses scripts by default (execution policy Restricted). This script sets RemoteSigned, the
narrowest policy that runs local scripts: a script that was downloaded still needs a signature. It
changes this window (Process, the default) or your own account (CurrentUser), never the machine, and
never another policy than RemoteSigned. Without it, cmd can use .venv\Scripts\activate.bat.

A policy is a guard against mistakes, not a barrier: it does not stop a program that means harm.
With RemoteSigned, any local .ps1 file that you or another program starts runs with all your rights.

.PARAMETER Scope
Process: until this window is closed. CurrentUser: until it is undone.

.PARAMETER Undo
Restore the policy that the same scope had before; Undefined if none was recorded.

.EXAMPLE
powershell -NoExit -ExecutionPolicy Bypass -File scripts\enable-pwsh-allow.ps1
Opens a PowerShell in which local scripts run. Its own policy is RemoteSigned, and no other window changes.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File scripts\enable-pwsh-allow.ps1 -Scope CurrentUser -WhatIf
Shows what would change, and changes nothing.

.EXAMPLE
powershell -ExecutionPolicy Bypass -File scripts\enable-pwsh-allow.ps1 -Scope CurrentUser -Undo
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param(
    [ValidateSet('Process', 'CurrentUser')]
    [string] $Scope = 'Process',
    [switch] $Undo
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$Policy = 'RemoteSigned'
$Default = 'Undefined'

function Stop-Change {
    param([string] $Message)
    [Console]::Error.WriteLine("error: $Message")
    exit 1
}

if ([System.IO.Path]::DirectorySeparatorChar -ne '\') {
    Write-Output 'Only Windows has execution policies: scripts run here already, and nothing was changed.'
    return
}

# An administrator's group policy wins over every scope that a user may set.
foreach ($managed in @('MachinePolicy', 'UserPolicy')) {
    $forced = Get-ExecutionPolicy -Scope $managed
    if ($forced -ne $Default) {
        Stop-Change "the policy '$forced' comes from a group policy ($managed), which this script cannot change; ask your administrator, or use .venv\Scripts\activate.bat in cmd"
    }
}

$folder = Join-Path ([Environment]::GetFolderPath('LocalApplicationData')) 'fonoteka'
$record = Join-Path $folder 'execution-policy.txt'
$before = [string] (Get-ExecutionPolicy -Scope $Scope)
$target = $Policy
if ($Undo) {
    # A window has no record: its policy ends with it.
    $target = $Default
    if ($Scope -eq 'CurrentUser' -and (Test-Path -LiteralPath $record -PathType Leaf)) {
        $target = ([string] (Get-Content -LiteralPath $record -TotalCount 1)).Trim()
    }
}
if ($target -notin [Enum]::GetNames([Microsoft.PowerShell.ExecutionPolicy])) {
    Stop-Change "${record}: '$target' is not an execution policy; remove the file, and -Undo sets $Default"
}
if ($before -eq $target) {
    Write-Output "The policy of $Scope is $target already; nothing was changed."
    return
}

if (-not $Undo) {
    Write-Warning "Local scripts will run with all your rights ($Scope): start only those that you have read."
    Write-Warning 'Scripts that were downloaded still need a signature. Do not unblock files of unknown origin.'
    Write-Warning "Undo: the same command with -Undo. Only for one window: -Scope Process."
}
if ($PSCmdlet.ShouldProcess("execution policy of $Scope", "change $before to $target")) {
    # Before the change: without a record, -Undo could not restore a policy that is not the default.
    if ($Scope -eq 'CurrentUser' -and -not $Undo) {
        New-Item -ItemType Directory -Path $folder -Force | Out-Null
        Set-Content -LiteralPath $record -Value $before -Encoding Ascii
    }
    try {
        Set-ExecutionPolicy -ExecutionPolicy $target -Scope $Scope -Force
    }
    catch [System.Security.SecurityException] {
        # Also raised after a change that this window, started with -ExecutionPolicy, does not follow.
        Write-Verbose $_.Exception.Message
    }
    if ([string] (Get-ExecutionPolicy -Scope $Scope) -ne $target) {
        Stop-Change "the policy of $Scope is still $before; ask your administrator, or use .venv\Scripts\activate.bat in cmd"
    }
    if ($Scope -eq 'CurrentUser' -and $Undo) {
        Remove-Item -LiteralPath $record -ErrorAction SilentlyContinue
    }
    Write-Output "The policy of $Scope is $target now; it was $before."
}
